# Fails when a file includes from a layer it may not know.
# Use: cmake -DROOT=SOURCE_DIR -P check_layers.cmake

# Each file that `pattern` matches must include nothing that begins with one of `prefixes`.
function(must_not_include pattern prefixes reason)
    file(GLOB_RECURSE sources "${ROOT}/${pattern}")
    string(REPLACE ";" "|" alternatives "${prefixes}")
    foreach(source IN LISTS sources)
        file(STRINGS "${source}" includes REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"](${alternatives})")
        foreach(include IN LISTS includes)
            message(SEND_ERROR "${source}: ${include}\n${reason}")
        endforeach()
    endforeach()
endfunction()

set(world
    boost/asio
    openssl/
    spdlog/
    CLI/
    systemd/
    sys/
    netinet/
    arpa/
    unistd\\.h
    "thread>"
    "mutex>"
    "atomic>"
    "iostream>"
    common/net
    common/app
)

foreach(core "common/dns/*.?pp" "common/policy/*.?pp" "client-proxy/query_relay*.?pp" "server-proxy/answer_relay*.?pp")
    must_not_include("${core}" "${world}" "The core takes bytes, values and time points and touches nothing else.")
endforeach()
must_not_include("common/dns/*.?pp" "common/policy" "Bytes do not know what is decided about them.")
must_not_include("common/net/*.?pp" "common/app" "Sockets do not know the process around them.")
must_not_include("common/*.?pp" "client-proxy/;server-proxy/" "What both programs share knows neither of them.")
must_not_include("client-proxy/*.?pp" "server-proxy/" "The programs meet in common/ only.")
must_not_include("server-proxy/*.?pp" "client-proxy/" "The programs meet in common/ only.")
must_not_include("*-proxy/*.?pp" "tests/" "The product does not know its tests.")
must_not_include("common/*.?pp" "tests/" "The product does not know its tests.")

# One interface target that every target of ours links: language, warnings, hardening, sanitizers.
add_library(dotpair_flags INTERFACE)
target_compile_features(dotpair_flags INTERFACE cxx_std_20)
target_include_directories(dotpair_flags INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(
    dotpair_flags
    INTERFACE -Wall
              -Wextra
              -Wpedantic
              -Wconversion
              -Wsign-conversion
              -Wshadow
              -Wnon-virtual-dtor
              -Woverloaded-virtual
              -Wformat=2
              -Wundef
)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(dotpair_flags INTERFACE -Wcast-qual) # clang warns of the casts in OpenSSL's macros
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # False alarms of version 12 in std::string's operator+ (GCC bug 105651).
    target_compile_options(dotpair_flags INTERFACE -Wno-restrict)
endif()
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(dotpair_flags INTERFACE -Wno-subobject-linkage) # a source that is included is no header
endif()
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# A worker has an io_context of its own, and readiness is all that we ask of Asio.
target_compile_definitions(
    dotpair_flags INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_HAS_STD_INVOKE_RESULT SPDLOG_FMT_EXTERNAL
)

if(DOTPAIR_WERROR)
    target_compile_options(dotpair_flags INTERFACE -Werror)
endif()

if(DOTPAIR_HARDEN)
    target_compile_options(dotpair_flags INTERFACE -fstack-protector-strong -fstack-clash-protection -fcf-protection)
    target_compile_definitions(dotpair_flags INTERFACE _FORTIFY_SOURCE=2 _GLIBCXX_ASSERTIONS)
    target_link_options(dotpair_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()

if(DOTPAIR_SANITIZE)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
        # False alarms of version 12 in <regex> under -fsanitize=address (GCC bug 105562).
        target_compile_options(dotpair_flags INTERFACE -Wno-maybe-uninitialized)
    endif()
    if(DOTPAIR_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # Asio's fences; each loop has one thread, so nothing hangs on them.
        target_compile_options(dotpair_flags INTERFACE -Wno-tsan)
    endif()
    target_compile_options(
        dotpair_flags INTERFACE -fsanitize=${DOTPAIR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
    )
    target_link_options(dotpair_flags INTERFACE -fsanitize=${DOTPAIR_SANITIZE})
endif()

if(DOTPAIR_FUZZ)
    # The libraries report what they execute; only a fuzz target itself links the fuzzer and its main().
    target_compile_options(dotpair_flags INTERFACE -fsanitize=fuzzer-no-link)
    target_link_options(dotpair_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Tests of the CUDA code that need no GPU and no nvcc, only the headers of CUDA, cuDNN and NCCL. The kernels (kernels/*.cu)
# are compiled for the host over tests/blockexec, in three flavours:
#   checked  ASan and UBSan: test_kernel_<operator>, and all of tests/cuda with the backend and tests/double
#   raced    TSan, every CUDA thread a thread of its own: test_race_<operator>
#   plain    optimised: libnasrun-cuda-double.so, a backend that the program itself can load
# The first two are made with gcc alone: clang's report less (14 does not see an overrun of shared memory), and C and
# C++ must agree on whose sanitizers they link. Under NASRUN_SANITIZE there is none of it, see src/train/cuda/cuda.cmake.
if(NOT NASRUN_HAVE_CUDA_HEADERS)
  message(STATUS "CUDA: its tests are not built (they need the headers of CUDA, cuDNN and NCCL)")
  return()
endif()
include(CheckLanguage)
check_language(CXX)
if(NOT CMAKE_CXX_COMPILER)
  message(STATUS "CUDA: its tests are not built (they need a C++ compiler)")
  return()
endif()
enable_language(CXX)
find_package(Threads REQUIRED)

set_source_files_properties(${NASRUN_KERNEL_SOURCES} PROPERTIES LANGUAGE CXX)
file(GLOB _blockexec_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/blockexec/*.cc)
list(FILTER _blockexec_sources EXCLUDE REGEX "/test_")
file(GLOB _double_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/double/*.cc)

# What all C++ of the tests is compiled with. -Wshadow=local: a struct and a function may share a name, as in C.
add_library(cuda_host INTERFACE)
target_include_directories(cuda_host INTERFACE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(cuda_host INTERFACE cuda_headers random123 Threads::Threads)
target_compile_features(cuda_host INTERFACE cxx_std_17)
target_compile_definitions(cuda_host INTERFACE _GNU_SOURCE)
target_compile_options(cuda_host INTERFACE -ffp-contract=off
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow=local;-Wconversion>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${NASRUN_WERROR}>>:-Werror>)

# One INTERFACE library per flavour: whatever links it is compiled in it.
set(_as_is -O1 -g -UNDEBUG -fno-omit-frame-pointer)
add_library(cuda_checked INTERFACE)
target_link_libraries(cuda_checked INTERFACE cuda_host)
target_compile_options(cuda_checked INTERFACE ${_as_is} -fsanitize=address,undefined -fno-sanitize-recover=all)
target_link_options(cuda_checked INTERFACE -fsanitize=address,undefined)
add_library(cuda_raced INTERFACE)
target_link_libraries(cuda_raced INTERFACE cuda_host)
target_compile_options(cuda_raced INTERFACE ${_as_is} -fsanitize=thread)
target_link_options(cuda_raced INTERFACE -fsanitize=thread)
add_library(cuda_plain INTERFACE)
target_link_libraries(cuda_plain INTERFACE cuda_host)
target_compile_options(cuda_plain INTERFACE -fvisibility=hidden)

# nasrun_cuda_objects(<name> <flavour> <sources...>)
function(nasrun_cuda_objects name flavour)
  add_library(${name} OBJECT ${ARGN})
  target_link_libraries(${name} PRIVATE ${flavour})
endfunction()

# ---- the backend on the double, as a module that the program loads (NASRUN_CUDA_MODULE) ----
nasrun_cuda_objects(double_plain cuda_plain ${NASRUN_KERNEL_SOURCES} ${_blockexec_sources} ${_double_sources})
add_library(nasrun_cuda_double MODULE ${NASRUN_CUDA_SOURCES})
target_link_libraries(nasrun_cuda_double PRIVATE cuda_plain double_plain nasrun_train nasrun_net nasrun_base rt m)
# one symbol to be found by: -fvisibility=hidden leaves templates of std visible
file(CONFIGURE OUTPUT nasrun-cuda-double.map CONTENT "{ global: nasrun_cuda_backend; local: *; };\n")
target_link_options(nasrun_cuda_double PRIVATE LINKER:-z,defs
  LINKER:--version-script=${CMAKE_CURRENT_BINARY_DIR}/nasrun-cuda-double.map)
set_target_properties(nasrun_cuda_double PROPERTIES OUTPUT_NAME nasrun-cuda-double
  LINKER_LANGUAGE CXX LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
add_dependencies(test_cuda_program nasrun_cuda_double) # of tests/run; skipped where there is no such module

if(NOT CMAKE_C_COMPILER_ID STREQUAL GNU OR NOT CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  message(STATUS "CUDA: its tests under sanitizers are built with gcc only")
  return()
endif()

nasrun_cuda_objects(blockexec_checked cuda_checked ${_blockexec_sources})
nasrun_cuda_objects(blockexec_raced cuda_host ${_blockexec_sources}) # see blockexec/race.h
target_compile_options(blockexec_raced PRIVATE ${_as_is})
target_compile_definitions(blockexec_raced PRIVATE BX_TSAN)

# TSan of gcc 12 ends at once where the kernel places memory with more random bits than it knows (32 on some); without
# random placement it works everywhere. Containers may forbid setarch.
find_program(NASRUN_SETARCH setarch)
mark_as_advanced(NASRUN_SETARCH)
set(_fixed_addresses)
if(NASRUN_SETARCH)
  execute_process(COMMAND ${NASRUN_SETARCH} -R true RESULT_VARIABLE _status OUTPUT_QUIET ERROR_QUIET)
  if(_status EQUAL 0)
    set(_fixed_addresses ${NASRUN_SETARCH} -R)
  endif()
endif()

# UBSan names the place alone by itself; TSan would wait a second at its end for the races of other threads.
set(_sanitizers "UBSAN_OPTIONS=print_stacktrace=1;TSAN_OPTIONS=atexit_sleep_ms=0")

# ---- planted errors ----

set_source_files_properties(kernels/mutants.cu PROPERTIES LANGUAGE CXX)
foreach(_flavour IN ITEMS checked raced)
  add_executable(mutants_${_flavour} kernels/mutants.cu kernels/device_host.cc)
  target_link_libraries(mutants_${_flavour} PRIVATE cuda_${_flavour} blockexec_${_flavour})
endforeach()
add_executable(test_mutants kernels/test_mutants.c)
target_link_libraries(test_mutants PRIVATE nasrun_test_support)
add_dependencies(test_mutants mutants_checked mutants_raced)
add_test(NAME test_mutants COMMAND test_mutants)
string(REPLACE ";" " " _raced "${_fixed_addresses}")
set_tests_properties(test_mutants PROPERTIES LABELS kernels TIMEOUT ${_timeout} ENVIRONMENT
  "${NASRUN_TEST_ENVIRONMENT};${_sanitizers};NASRUN_MUTANTS=$<TARGET_FILE:mutants_checked>;NASRUN_MUTANTS_RACED=${_raced} $<TARGET_FILE:mutants_raced>")

# ---- kernels ----

# nasrun_kernel_test(<operator> <sources...>): test_kernel_<operator> and test_race_<operator>.
foreach(_flavour IN ITEMS checked raced)
  nasrun_cuda_objects(kernels_support_${_flavour} cuda_${_flavour} kernels/support.cc kernels/device_host.cc)
  nasrun_cuda_objects(kernels_${_flavour} cuda_${_flavour} ${NASRUN_KERNEL_SOURCES})
endforeach()
function(nasrun_kernel_test operator)
  foreach(kind IN ITEMS kernel race)
    set(flavour checked)
    if(kind STREQUAL race)
      set(flavour raced)
    endif()
    set(name test_${kind}_${operator})
    add_executable(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE cuda_${flavour} kernels_${flavour} kernels_support_${flavour} blockexec_${flavour})
    if(kind STREQUAL race)
      add_test(NAME ${name} COMMAND ${_fixed_addresses} $<TARGET_FILE:${name}>)
    else()
      add_test(NAME ${name} COMMAND ${name})
    endif()
    set_tests_properties(${name} PROPERTIES LABELS kernels TIMEOUT ${_timeout} ENVIRONMENT "${_sanitizers}")
  endforeach()
endfunction()

nasrun_kernel_test(blockexec blockexec/test_blockexec.cc)
file(GLOB _kernel_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/kernels/test_*.cc)
foreach(_source IN LISTS _kernel_tests)
  get_filename_component(_name ${_source} NAME_WE)
  string(REGEX REPLACE "^test_" "" _name ${_name})
  nasrun_kernel_test(${_name} ${_source})
endforeach()

# ---- the backend on the double, linked into test programs ----
# Backend, kernels, executor and double are compiled in the checked flavour; what they need of the other folders is linked as
# it is (their own tests run under the sanitizer presets), but its memory is watched all the same.
nasrun_cuda_objects(double_checked cuda_checked ${_double_sources})
nasrun_cuda_objects(backend_checked cuda_checked ${NASRUN_CUDA_SOURCES})
target_link_libraries(backend_checked PRIVATE nasrun_options)
# nasrun_cuda_test(<name> <sources...>): a program over the whole backend on the double.
function(nasrun_cuda_test name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE cuda_checked backend_checked kernels_checked double_checked blockexec_checked
    nasrun_test_support rt)
  target_link_options(${name} PRIVATE LINKER:-z,defs)
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS cuda TIMEOUT ${_timeout} SKIP_RETURN_CODE 77
    ENVIRONMENT "${NASRUN_TEST_ENVIRONMENT};${_sanitizers}")
endfunction()
# tests/double/test_*.c try the double alone, tests/cuda/test_*.c the backend on it.
file(GLOB _cuda_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cuda/test_*.c ${CMAKE_CURRENT_SOURCE_DIR}/double/test_*.c)
foreach(_source IN LISTS _cuda_tests)
  get_filename_component(_name ${_source} NAME_WE)
  nasrun_cuda_test(${_name} ${_source})
endforeach()

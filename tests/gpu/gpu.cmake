# Tests on a real device, label gpu; without one they are skipped. tools/gpu-check builds gpu_tests and runs them.
#   test_*.c of this folder  the whole backend, taken from the module by backend_load(); where the double can be built
#                            each is run on it too, as <name>_double with the label cuda, and on the CPU's backend,
#                            as <name>_cpu with the label train (tests/support/gpu.h)
#   test_gpu_kernel_*        the tests of tests/kernels over the kernels as nvcc compiled them
#   test_gpu_cuda_*          those of tests/cuda that say nothing of the double, with NVIDIA's libraries instead of it:
#                            what the double takes for their behaviour is held to them here
add_custom_target(gpu_tests)

file(GLOB _gpu_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/gpu/test_*.c)
foreach(_source IN LISTS _gpu_tests)
  get_filename_component(_name ${_source} NAME_WE)
  add_dependencies(gpu_tests ${_name})
  add_test(NAME ${_name}_cpu COMMAND ${_name})
  set_tests_properties(${_name}_cpu PROPERTIES LABELS train TIMEOUT ${_timeout} SKIP_RETURN_CODE 77
    ENVIRONMENT "${NASRUN_TEST_ENVIRONMENT};NASRUN_TEST_BACKEND=cpu")
  if(TARGET nasrun_cuda_double)
    add_test(NAME ${_name}_double COMMAND ${_name})
    set_tests_properties(${_name}_double PROPERTIES LABELS cuda TIMEOUT ${_timeout} # never skipped: it has a device
      ENVIRONMENT "${NASRUN_TEST_ENVIRONMENT};NASRUN_CUDA_MODULE=$<TARGET_FILE:nasrun_cuda_double>")
  endif()
endforeach()
if(TARGET nasrun_cuda_double) # a library without fused products, on a device that runs ahead of the host
  add_test(NAME test_gpu_step_double_unfused COMMAND test_gpu_step)
  set_tests_properties(test_gpu_step_double_unfused PROPERTIES LABELS cuda TIMEOUT ${_timeout}
    ENVIRONMENT "${NASRUN_TEST_ENVIRONMENT};NASRUN_CUDA_MODULE=$<TARGET_FILE:nasrun_cuda_double>;NASRUN_DOUBLE_EAGER=1;\
NASRUN_DOUBLE_NO_EPILOGUE=BIAS,RELU_BIAS,RELU_AUX_BIAS,DRELU,DRELU_BGRAD,BGRADA")
endif()

if(NOT NASRUN_HAVE_CUDA_MODULE OR NOT TARGET cuda_host)
  return()
endif()
file(GLOB _kernel_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/kernels/test_*.cc)
add_library(kernels_support_gpu OBJECT kernels/support.cc kernels/device_gpu.cc)
target_link_libraries(kernels_support_gpu PRIVATE cuda_host)
foreach(_source IN LISTS _kernel_tests)
  get_filename_component(_name ${_source} NAME_WE)
  string(REGEX REPLACE "^test_" "test_gpu_kernel_" _name ${_name})
  add_executable(${_name} ${_source})
  target_link_libraries(${_name} PRIVATE cuda_host kernels_support_gpu nasrun_kernels)
  add_dependencies(gpu_tests ${_name})
  add_test(NAME ${_name} COMMAND ${_name})
  set_tests_properties(${_name} PROPERTIES LABELS gpu TIMEOUT ${_timeout} SKIP_RETURN_CODE 77)
endforeach()

add_library(backend_gpu OBJECT ${NASRUN_CUDA_SOURCES} gpu/no_double.c)
target_link_libraries(backend_gpu PRIVATE nasrun_options cuda_headers)
target_include_directories(backend_gpu PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
file(GLOB _cuda_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cuda/test_*.c)
foreach(_source IN LISTS _cuda_tests)
  file(STRINGS ${_source} _about_the_double REGEX "double/|cudadouble" LIMIT_COUNT 1)
  if(_about_the_double)
    continue()
  endif()
  get_filename_component(_name ${_source} NAME_WE)
  string(REGEX REPLACE "^test_" "test_gpu_cuda_" _name ${_name})
  add_executable(${_name} ${_source})
  target_link_libraries(${_name} PRIVATE nasrun_test_support backend_gpu nasrun_kernels cuda_headers
    ${NASRUN_CUDA_LIBRARIES})
  add_dependencies(gpu_tests ${_name})
  add_test(NAME ${_name} COMMAND ${_name})
  set_tests_properties(${_name} PROPERTIES LABELS gpu TIMEOUT ${_timeout} SKIP_RETURN_CODE 77
    ENVIRONMENT "${NASRUN_TEST_ENVIRONMENT}")
endforeach()

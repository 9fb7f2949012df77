# Modules and libraries for tests of whatever loads a backend, in $NASRUN_MODULES.
set(NASRUN_MODULES ${CMAKE_BINARY_DIR}/test-modules)
set(_here ${CMAKE_CURRENT_LIST_DIR})

function(nasrun_test_module name source)
  add_library(module_${name} MODULE ${_here}/${source}.c)
  target_link_libraries(module_${name} PRIVATE nasrun_options ${ARGN})
  set_target_properties(module_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    LIBRARY_OUTPUT_DIRECTORY ${NASRUN_MODULES})
  add_dependencies(nasrun_test_support module_${name})
endfunction()

add_library(part_missing SHARED ${_here}/part.c)
set_target_properties(part_missing PROPERTIES OUTPUT_NAME missing LIBRARY_OUTPUT_DIRECTORY ${NASRUN_MODULES}/elsewhere)
add_library(part_cudnn SHARED ${_here}/part.c)
set_target_properties(part_cudnn PROPERTIES OUTPUT_NAME cudnn SOVERSION 9
  LIBRARY_OUTPUT_DIRECTORY ${NASRUN_MODULES}/incomplete)

nasrun_test_module(two_devices two_devices nasrun_train)
nasrun_test_module(fake_gpus fake_gpus nasrun_train)
nasrun_test_module(other_build other_build)
nasrun_test_module(aborts aborts)
nasrun_test_module(no_backend part)
nasrun_test_module(lacks_a_library uses_part part_missing)
nasrun_test_module(incomplete_cudnn uses_part part_cudnn)
set_target_properties(module_lacks_a_library PROPERTIES SKIP_BUILD_RPATH ON)

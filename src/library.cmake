# libnasrun: src/nasrun.h as a shared and as a static library, with what they need of the folders inside. Both export
# nasrun_* and nothing else, so that no name of ours meets one of the program that links them.
add_library(nasrun_shared SHARED ${CMAKE_SOURCE_DIR}/src/nasrun.c)
target_link_libraries(nasrun_shared PRIVATE nasrun_run)
target_link_options(nasrun_shared PRIVATE LINKER:--version-script=${CMAKE_SOURCE_DIR}/src/nasrun.map)
if(NOT NASRUN_SANITIZE)
  target_link_options(nasrun_shared PRIVATE LINKER:--no-undefined)
endif()
# While the version is 0.x every minor version may change the interface.
set_target_properties(nasrun_shared PROPERTIES OUTPUT_NAME nasrun VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} LINK_DEPENDS ${CMAKE_SOURCE_DIR}/src/nasrun.map)

# The static one: all of it in a single object, in which other names are then made local.
add_library(nasrun_interface OBJECT ${CMAKE_SOURCE_DIR}/src/nasrun.c)
target_link_libraries(nasrun_interface PRIVATE nasrun_run)
set(_archives)
foreach(_folder run report store train net optim space base)
  list(APPEND _archives $<TARGET_FILE:nasrun_${_folder}>)
endforeach()
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/libnasrun.a
  COMMAND ${CMAKE_LINKER} -r -o libnasrun.o $<TARGET_OBJECTS:nasrun_interface> --start-group ${_archives} --end-group
  COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=nasrun_* libnasrun.o
  COMMAND ${CMAKE_COMMAND} -E rm -f libnasrun.a
  COMMAND ${CMAKE_AR} rcs libnasrun.a libnasrun.o
  DEPENDS nasrun_interface nasrun_run nasrun_report nasrun_store nasrun_train nasrun_net nasrun_optim nasrun_space
    nasrun_base $<TARGET_OBJECTS:nasrun_interface> ${_archives}
  WORKING_DIRECTORY ${CMAKE_BINARY_DIR} COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(nasrun_static ALL DEPENDS ${CMAKE_BINARY_DIR}/libnasrun.a)

# The prefix is found from where the file lies, so that `cmake --install --prefix` needs no other configuration.
file(RELATIVE_PATH NASRUN_PREFIX_FROM_PC /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_SOURCE_DIR}/src/nasrun.pc.in ${CMAKE_BINARY_DIR}/nasrun.pc @ONLY)

install(TARGETS nasrun_shared LIBRARY COMPONENT library)
install(FILES ${CMAKE_BINARY_DIR}/libnasrun.a DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(FILES ${CMAKE_SOURCE_DIR}/src/nasrun.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)
install(FILES ${CMAKE_BINARY_DIR}/nasrun.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)

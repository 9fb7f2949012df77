# The CPU backend.
file(GLOB _cpu_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/train/cpu/*.c)
target_sources(nasrun_train PRIVATE ${_cpu_sources})
target_link_libraries(nasrun_train PUBLIC onednn openblas)

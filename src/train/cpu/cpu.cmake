# The CPU backend. The code of a training step is compiled once per variant (src/train/cpu/vector.h, variants.h): the
# same sources, other flags, and a suffix on every exported name. The rest is compiled once.
set(NASRUN_CPU_STEP_SOURCES lanes.c conv.c conv_tile.c conv_data.c conv_weights.c lane_sums.c winograd.c
  winograd_weights.c pool.c batchnorm.c)
list(APPEND NASRUN_CPU_STEP_SOURCES compile.c conv_steps.c dense.c dropout.c engine.c execute.c gemm.c input.c loss.c
  norm_rows.c optimizer.c peak.c place.c pointwise.c shape_steps.c)
list(TRANSFORM NASRUN_CPU_STEP_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/src/train/cpu/)

set(NASRUN_CPU_VARIANTS plain precise)
set(NASRUN_CPU_FLAGS_plain -DNR_SUFFIX=plain)
set(NASRUN_CPU_FLAGS_precise -DNR_SUFFIX=precise -DNR_DOUBLE)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(PREPEND NASRUN_CPU_VARIANTS avx512 avx2)
  set(NASRUN_CPU_FLAGS_avx512 -DNR_SUFFIX=avx512 -march=x86-64-v4 -mprefer-vector-width=512)
  set(NASRUN_CPU_FLAGS_avx2 -DNR_SUFFIX=avx2 -march=x86-64-v3)
endif()

# What every variant may do with its sums: fuse multiply and add, and ignore errno and traps. Nothing that changes an
# order of evaluation: the same program gives the same bits. These are properties of the sources because they must
# come after the project's -ffp-contract=off.
set(NASRUN_CPU_STEP_FLAGS -ffp-contract=fast -fno-math-errno -fno-trapping-math $<$<NOT:$<CONFIG:Debug>>:-O3>)

# nasrun_cpu_objects(<prefix> <sources...>): one object library <prefix>_<variant> per variant; in
# <prefix>_objects the list of their objects. tests/CMakeLists.txt uses it too.
function(nasrun_cpu_objects prefix)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "${NASRUN_CPU_STEP_FLAGS}")
  set(objects)
  foreach(variant IN LISTS NASRUN_CPU_VARIANTS)
    add_library(${prefix}_${variant} OBJECT ${ARGN})
    target_link_libraries(${prefix}_${variant} PRIVATE nasrun_options onednn openblas random123)
    target_compile_options(${prefix}_${variant} PRIVATE ${NASRUN_CPU_FLAGS_${variant}})
    list(APPEND objects $<TARGET_OBJECTS:${prefix}_${variant}>)
  endforeach()
  set(${prefix}_objects ${objects} PARENT_SCOPE)
endfunction()

nasrun_cpu_objects(nasrun_cpu_step ${NASRUN_CPU_STEP_SOURCES})
file(GLOB _cpu_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/train/cpu/*.c)
list(REMOVE_ITEM _cpu_sources ${NASRUN_CPU_STEP_SOURCES})
target_sources(nasrun_train PRIVATE ${_cpu_sources} ${nasrun_cpu_step_objects})
target_link_libraries(nasrun_train PUBLIC onednn openblas)

# The libraries that the project stands on, each as an INTERFACE target with its short name; all are in Debian.
find_package(PkgConfig REQUIRED)

function(nasrun_dependency name module)
  pkg_check_modules(${name}_pc REQUIRED IMPORTED_TARGET ${module})
  add_library(${name} INTERFACE)
  target_link_libraries(${name} INTERFACE PkgConfig::${name}_pc)
endfunction()

nasrun_dependency(zlib zlib)
nasrun_dependency(nettle nettle)
nasrun_dependency(sqlite sqlite3)
nasrun_dependency(jansson jansson)
nasrun_dependency(inih inih)
nasrun_dependency(lapacke lapacke)
nasrun_dependency(openblas openblas)
nasrun_dependency(cerf libcerf)
nasrun_dependency(lbfgs liblbfgs)
add_library(lapack INTERFACE)
target_link_libraries(lapack INTERFACE lapacke openblas)

find_path(RANDOM123_INCLUDE Random123/philox.h REQUIRED)
add_library(random123 INTERFACE)
target_include_directories(random123 SYSTEM INTERFACE ${RANDOM123_INCLUDE})

# oneDNN: one function, sgemm. Without it OpenBLAS serves.
find_path(DNNL_INCLUDE oneapi/dnnl/dnnl.h)
find_library(DNNL_LIBRARY dnnl)
add_library(onednn INTERFACE)
if(DNNL_INCLUDE AND DNNL_LIBRARY)
  target_include_directories(onednn SYSTEM INTERFACE ${DNNL_INCLUDE})
  target_link_libraries(onednn INTERFACE ${DNNL_LIBRARY})
  target_compile_definitions(onednn INTERFACE NASRUN_HAVE_ONEDNN)
endif()

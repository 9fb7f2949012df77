# The CUDA backend: libnasrun-cuda.so, a module beside the program that is loaded when a GPU is wanted, so that the
# program itself needs neither a driver nor NVIDIA's libraries.
#
# nvcc is called by custom commands: CMake's own CUDA language wants a whole toolkit in one folder, and knows the
# versions that were there before it. Here compiler, headers and libraries may come from a toolkit, from Debian's
# folders, or from Python wheels that bring versioned libraries only (libcudnn.so.9). Sets
#   NASRUN_HAVE_CUDA_HEADERS  the target cuda_headers exists: what the tests of the CUDA code need (no nvcc, no library)
#   NASRUN_HAVE_CUDA_MODULE   the target nasrun_cuda exists, and nasrun_kernels: the kernels as nvcc compiled them
#   NASRUN_CUDA_MISSING       why there is none; the program repeats it (src/train/backends.c)
#   NASRUN_CUDA_SOURCES, NASRUN_KERNEL_SOURCES, NASRUN_CUDA_LIBRARIES
set(NASRUN_CUDA AUTO CACHE STRING "The CUDA backend: AUTO where all it needs is found, ON, OFF (nor its tests)")
set_property(CACHE NASRUN_CUDA PROPERTY STRINGS AUTO ON OFF)
set(NASRUN_CUDA_ROOTS "$ENV{NASRUN_CUDA_ROOTS}" CACHE STRING
  "Folders with bin, include, lib in which to look for CUDA, cuDNN, NCCL first")
set(NASRUN_CUDA_ARCHITECTURES "$ENV{NASRUN_CUDA_ARCHITECTURES}" CACHE STRING
  "Compute capabilities to compile for, \"80;90\"; empty: all that are supported. The newest is added as PTX")
set(NASRUN_CUDA_MISSING "")
set(NASRUN_HAVE_CUDA_HEADERS OFF)
set(NASRUN_HAVE_CUDA_MODULE OFF)
file(GLOB NASRUN_CUDA_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/train/cuda/*.c)
file(GLOB NASRUN_KERNEL_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/*.cu)

# What is known to nvcc 12 and later; 100 and 120 where the compiler has them.
set(_supported 75 80 86 89 90 100 120)

# Python's site-packages/nvidia: nvidia/cu13 (CUDA 13), nvidia/cudnn, nvidia/nccl, nvidia/cublas, ...
function(nasrun_cuda_wheels out)
  set(roots)
  find_program(NASRUN_PYTHON NAMES python3)
  mark_as_advanced(NASRUN_PYTHON)
  if(NASRUN_PYTHON)
    string(CONCAT script "import site, sysconfig\n"
      "paths = [sysconfig.get_path(name) for name in ('purelib', 'platlib')]\n"
      "print(*{*paths, site.getusersitepackages(), *site.getsitepackages()}, sep=';')")
    execute_process(COMMAND ${NASRUN_PYTHON} -c "${script}"
      OUTPUT_VARIABLE packages OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
    if(status EQUAL 0)
      list(SORT packages)
      foreach(folder IN LISTS packages)
        file(GLOB found LIST_DIRECTORIES true ${folder}/nvidia/*)
        list(SORT found COMPARE NATURAL ORDER DESCENDING) # cu13 before cu12
        list(APPEND roots ${found})
      endforeach()
    endif()
  endif()
  set(${out} ${roots} PARENT_SCOPE)
endfunction()

# Finds everything; in `missing` the names of what is not there, in `missing_headers` those of headers.
macro(nasrun_cuda_find)
  nasrun_cuda_wheels(_wheels)
  set(_toolkits ${NASRUN_CUDA_ROOTS} $ENV{CUDA_HOME} $ENV{CUDA_PATH})
  find_program(NASRUN_NVCC nvcc HINTS ${_toolkits} PATHS /usr/local/cuda ${_wheels} PATH_SUFFIXES bin)
  if(NASRUN_NVCC)
    get_filename_component(_nvcc ${NASRUN_NVCC} REALPATH)
    get_filename_component(_nvcc ${_nvcc} DIRECTORY)
    get_filename_component(_nvcc ${_nvcc} DIRECTORY)
    list(APPEND _toolkits ${_nvcc})
  else()
    list(APPEND _missing nvcc)
  endif()
  list(APPEND _toolkits /usr/local/cuda)
  foreach(_header IN ITEMS cuda_runtime_api.h cublasLt.h cudnn.h nccl.h)
    string(MAKE_C_IDENTIFIER "NASRUN_INCLUDE_${_header}" _variable)
    find_path(${_variable} ${_header} HINTS ${_toolkits} PATHS ${_wheels} PATH_SUFFIXES include)
    mark_as_advanced(${_variable})
    if(${_variable})
      list(APPEND _includes ${${_variable}})
    else()
      list(APPEND _missing_headers ${_header})
    endif()
  endforeach()
  set(_names_cudart cudart_static cudart libcudart.so.13 libcudart.so.12) # static: one library fewer to miss
  set(_names_cublasLt cublasLt libcublasLt.so.13 libcublasLt.so.12)
  set(_names_cudnn cudnn libcudnn.so.9)
  set(_names_nccl nccl libnccl.so.2)
  foreach(_library IN ITEMS cudart cublasLt cudnn nccl)
    find_library(NASRUN_LIBRARY_${_library} NAMES ${_names_${_library}} HINTS ${_toolkits} PATHS ${_wheels}
      PATH_SUFFIXES lib64 lib)
    mark_as_advanced(NASRUN_LIBRARY_${_library})
    if(NASRUN_LIBRARY_${_library})
      list(APPEND NASRUN_CUDA_LIBRARIES ${NASRUN_LIBRARY_${_library}})
    else()
      list(APPEND _missing lib${_library})
    endif()
  endforeach()
endmacro()

# Appends to `problems` where a header is of an older version than the sources were written for.
function(nasrun_cuda_version folder header pattern least name problems)
  if(EXISTS ${folder}/${header})
    file(STRINGS ${folder}/${header} line REGEX "#define +${pattern} +[0-9]+" LIMIT_COUNT 1)
    string(REGEX MATCH "[0-9]+" version "${line}")
    if(version AND version LESS least)
      list(APPEND ${problems} "${name} is too old (${pattern} ${version}, needed ${least})")
      set(${problems} ${${problems}} PARENT_SCOPE)
    endif()
  endif()
endfunction()

# -gencode for every architecture and PTX of the newest.
function(nasrun_cuda_architectures out)
  set(wanted ${NASRUN_CUDA_ARCHITECTURES})
  if(NOT wanted)
    execute_process(COMMAND ${NASRUN_NVCC} --list-gpu-code OUTPUT_VARIABLE known ERROR_QUIET)
    string(REGEX MATCHALL "sm_[0-9]+" known "${known}")
    foreach(architecture IN LISTS _supported)
      if(sm_${architecture} IN_LIST known)
        list(APPEND wanted ${architecture})
      endif()
    endforeach()
  endif()
  list(SORT wanted COMPARE NATURAL)
  foreach(architecture IN LISTS wanted)
    list(APPEND flags -gencode=arch=compute_${architecture},code=sm_${architecture})
  endforeach()
  list(GET wanted -1 newest)
  list(APPEND flags -gencode=arch=compute_${newest},code=compute_${newest})
  string(REPLACE ";" ", " wanted "${wanted}")
  set(NASRUN_CUDA_CODE "${wanted} and PTX ${newest}" PARENT_SCOPE)
  set(${out} ${flags} PARENT_SCOPE)
endfunction()

# Compiles one small kernel, so that a missing or too new host compiler, or half a toolkit, is told here in one line.
function(nasrun_nvcc_check problem)
  set(source ${CMAKE_BINARY_DIR}/CMakeFiles/nvcc-check.cu)
  file(WRITE ${source} "#include <cuda_runtime.h>\n__global__ void check(int *x) { *x = 1; }\n"
    "int run(int *x) { check<<<1, 1>>>(x); return cudaGetLastError(); }\n")
  set(command ${NASRUN_NVCC} ${NASRUN_NVCC_FLAGS} -c ${source} -o ${source}.o)
  if(NOT "${NASRUN_NVCC_CHECKED}" STREQUAL "${command}")
    execute_process(COMMAND ${command} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT status EQUAL 0)
      string(REGEX MATCH "[^\n]*([Ee]rror|not found|unsupported|cannot)[^\n]*" line "${output}")
      set(${problem} "${NASRUN_NVCC} does not work here (${line})" PARENT_SCOPE)
      return()
    endif()
    set(NASRUN_NVCC_CHECKED "${command}" CACHE INTERNAL "the command that was seen to compile a kernel")
  endif()
endfunction()

# nasrun_nvcc_objects(<out> <sources...>): objects that nvcc makes of C++ and CUDA sources; <out> is the list of them.
function(nasrun_nvcc_objects out)
  set(objects)
  foreach(source IN LISTS ARGN)
    file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR} ${source})
    set(object ${CMAKE_BINARY_DIR}/nvcc/${name}.o)
    get_filename_component(folder ${object} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    add_custom_command(OUTPUT ${object} DEPENDS ${source} DEPFILE ${object}.d COMMENT "nvcc ${name}" VERBATIM
      COMMAND ${CMAKE_C_COMPILER_LAUNCHER} ${NASRUN_NVCC} ${NASRUN_NVCC_FLAGS} -x cu -MD -MT ${object} -MF ${object}.d
      -c ${source} -o ${object})
    list(APPEND objects ${object})
  endforeach()
  set(${out} ${objects} PARENT_SCOPE)
endfunction()

# Where the module will look for the libraries that it was linked with: their folders but for the system's own.
function(nasrun_cuda_rpath out)
  set(folders $ORIGIN)
  foreach(library IN LISTS NASRUN_CUDA_LIBRARIES)
    get_filename_component(folder ${library} DIRECTORY)
    if(NOT folder IN_LIST CMAKE_C_IMPLICIT_LINK_DIRECTORIES AND NOT library MATCHES "\\.a$")
      list(APPEND folders ${folder})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES folders)
  set(${out} ${folders} PARENT_SCOPE)
endfunction()

# Random123 brings a little of C++'s library into the kernels.
function(nasrun_cuda_kernels)
  nasrun_nvcc_objects(objects ${NASRUN_KERNEL_SOURCES})
  add_library(nasrun_kernels STATIC ${objects})
  set_target_properties(nasrun_kernels PROPERTIES LINKER_LANGUAGE C)
  target_link_libraries(nasrun_kernels PUBLIC ${NASRUN_LIBRARY_cudart} Threads::Threads ${CMAKE_DL_LIBS} rt stdc++)
endfunction()

# The module has everything of its own but the libraries of NVIDIA, and one symbol to be found by.
function(nasrun_cuda_module)
  add_library(nasrun_cuda MODULE ${NASRUN_CUDA_SOURCES})
  target_link_libraries(nasrun_cuda PRIVATE nasrun_train nasrun_net nasrun_base nasrun_kernels cuda_headers
    ${NASRUN_CUDA_LIBRARIES} m)
  target_link_options(nasrun_cuda PRIVATE LINKER:-z,defs LINKER:--exclude-libs,ALL LINKER:--as-needed
    LINKER:--gc-sections)
  nasrun_cuda_rpath(rpath)
  set_target_properties(nasrun_cuda PROPERTIES OUTPUT_NAME nasrun-cuda C_VISIBILITY_PRESET hidden
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} BUILD_RPATH "${rpath}" INSTALL_RPATH "${rpath}")
  install(TARGETS nasrun_cuda LIBRARY DESTINATION lib/nasrun)
endfunction()

if(NASRUN_CUDA STREQUAL OFF OR NASRUN_SANITIZE)
  message(STATUS "CUDA: off") # under sanitizers too: the tests of the CUDA code bring their own
  set(NASRUN_CUDA_MISSING "NASRUN_CUDA was OFF")
  return()
endif()

set(_missing)
set(_missing_headers)
set(_includes)
set(NASRUN_CUDA_LIBRARIES)
nasrun_cuda_find()
if(NOT _missing_headers)
  nasrun_cuda_version(${NASRUN_INCLUDE_cuda_runtime_api_h} cuda_runtime_api.h CUDART_VERSION 12000 CUDA
    _missing_headers)
  nasrun_cuda_version(${NASRUN_INCLUDE_cudnn_h} cudnn_version.h CUDNN_MAJOR 9 cuDNN _missing_headers)
endif()
if(NOT _missing_headers)
  set(NASRUN_HAVE_CUDA_HEADERS ON)
  list(REMOVE_DUPLICATES _includes)
  add_library(cuda_headers INTERFACE)
  target_include_directories(cuda_headers SYSTEM INTERFACE ${_includes})
endif()

list(APPEND _missing ${_missing_headers})
if(NOT _missing)
  find_package(Threads REQUIRED)
  nasrun_cuda_architectures(NASRUN_NVCC_FLAGS)
  list(APPEND NASRUN_NVCC_FLAGS -std=c++17 -O3 -lineinfo -I${CMAKE_SOURCE_DIR} -Xcompiler=-fPIC,-fvisibility=hidden
    -Xcompiler=-Wall,-Wextra,-Wshadow=local,-ffp-contract=off)
  if(NASRUN_WERROR)
    list(APPEND NASRUN_NVCC_FLAGS -Werror=all-warnings -Xcompiler=-Werror)
  endif()
  set(_system ${_includes} ${RANDOM123_INCLUDE})
  list(REMOVE_ITEM _system ${CMAKE_C_IMPLICIT_INCLUDE_DIRECTORIES}) # named twice they would come in the wrong order
  list(TRANSFORM _system PREPEND -isystem=)
  list(APPEND NASRUN_NVCC_FLAGS ${_system})
  nasrun_nvcc_check(_missing)
endif()

if(_missing)
  string(REPLACE ";" ", " _missing "${_missing}")
  set(NASRUN_CUDA_MISSING "${_missing}")
  if(NASRUN_CUDA STREQUAL ON)
    message(FATAL_ERROR
      "CUDA: missing: ${_missing}. NASRUN_CUDA_ROOTS may name the folders; NASRUN_CUDA=OFF builds without")
  endif()
  message(STATUS "CUDA: no backend, missing: ${_missing}")
else()
  set(NASRUN_HAVE_CUDA_MODULE ON)
  nasrun_cuda_kernels()
  nasrun_cuda_module()
  message(STATUS "CUDA: backend for ${NASRUN_CUDA_CODE}, by ${NASRUN_NVCC}")
endif()

/* The table behind backend.h. */
#include "train/cuda/cuda.h"
#include "train/cuda/trainer.h"

const struct backend cuda_backend = {
    .interface = BACKEND_INTERFACE,
    .name = "cuda",
    .count = device_count,
    .inspect = device_inspect,
    .open = device_open,
    .describe = device_describe,
    .close = device_close,
    .upload = images_upload,
    .unload = images_unload,
    .lanes = device_lanes,
    .available = device_available,
    .supports = device_supports,
    .peak = device_peak,
    .invite = device_invite,
    .join = device_join,
    .memory = trainer_memory,
    .create = trainer_create,
    .destroy = trainer_destroy,
    .nodes = trainer_nodes,
    .submit = trainer_submit,
    .poll = trainer_poll,
    .reset_progress = trainer_reset_progress,
    .evaluate = trainer_evaluate,
    .predict = trainer_predict,
    .read_state = trainer_read_state,
    .write_state = trainer_write_state,
};

#include "train/dataset_known.h"

#include <string.h>

struct known_part {
    const char *name;
    enum dataset_part part;
    const char *both;   /* SHA-256 of the unpacked image file followed by the unpacked label file */
    const char *labels; /* of the latter alone: tells which of the two differs */
};

/* Computed from the files as published (mnist-5k: as tools/get-data makes them); tools/checksums lists the same files
 * one by one. */
static const struct known_part known_parts[] = {
    {"mnist", DATASET_TRAIN, "c5097fdd51cfdbe7695fd9df3612695696864b5c424f58d843ffdc5d335e9914",
     "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
    {"mnist", DATASET_TEST, "18489308deedfe2f7bd3a11e599a597126f161d991b1ffcffb71642aa76f7f62",
     "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"},
    {"fashion-mnist", DATASET_TRAIN, "d9ef4273af5c2e360155dad0c06bd939447bf37a6620db007d69fc79e4732045",
     "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
    {"fashion-mnist", DATASET_TEST, "30214f3fe91405cb8ea60b11ecf0914a65dd6a6ca8e13c13a62eb434f2d9fe56",
     "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"},
    {"mnist-5k", DATASET_TRAIN, "9e4aad518da3ea2019f8926c729dfe9e3bf5ae62b8206bb417732b146f511262",
     "faab72527ab89dfa21018e182a572394e7a2df1e07611390b06783275abf12bf"},
    {"mnist-5k", DATASET_TEST, "d80f486582ca91afdc0bcd1c879af1700c2a2234c75db8632e74d267d6808cbf",
     "573b5d53b14f12a3360693c559cdf10609fd734bd9b4b73713db99d300c8e029"},
};

nr_status dataset_check_known(const char *name, enum dataset_part part, const char *digest, const char *images_path,
                              const char *labels_path, const void *labels_file, size_t labels_bytes, struct log *log)
{
    char labels_digest[FILE_DIGEST_SIZE];
    for (size_t i = 0; i < sizeof known_parts / sizeof *known_parts; i++) {
        const struct known_part *known = &known_parts[i];
        if (known->part != part || strcmp(known->name, name) || !strcmp(known->both, digest))
            continue;
        digest_bytes(labels_file, labels_bytes, labels_digest);
        log_error(log,
                  "%s: is not the published file of %s: its check sum differs; `tools/get-data %s` fetches it; a "
                  "set of your own needs another name in data.dataset",
                  strcmp(labels_digest, known->labels) ? labels_path : images_path, known->name, known->name);
        return NR_INVALID;
    }
    return NR_OK;
}

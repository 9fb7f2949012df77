/* [network] and [block NAME] as lists of layers. Operators and their attributes are net's; here every `$name` in them
 * is checked to exist, and marked as used. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "space/study_parts.h"

static const char block_prefix[] = "block ";

static void clear_layer(struct layer_spec *layer)
{
    for (size_t i = 0; i < layer->attributes; i++) {
        free(layer->attribute[i].key);
        free(layer->attribute[i].value);
    }
    free(layer->attribute);
    free(layer->kind);
    free(layer->word);
}

static void clear_layers(struct layer_list *layers)
{
    for (size_t i = 0; i < layers->count; i++)
        clear_layer(&layers->layer[i]);
    free(layers->layer);
}

void network_clear(struct network_template *network)
{
    clear_layers(&network->layers);
    for (size_t i = 0; i < network->blocks; i++) {
        free(network->block[i].name);
        clear_layers(&network->block[i].layers);
    }
    free(network->block);
}

/* Marks the dimensions that `$name` at `sign` means: one, one element, or all elements of a vector. */
static nr_status use_name(struct study_reader *reader, const struct config_entry *entry, const char *sign)
{
    const struct space *space = &reader->study->space;
    char name[CONFIG_LONGEST_LINE + 1], hint[SPACE_HINT_SIZE];
    size_t length = 1;
    while (isalnum((unsigned char)sign[length]) || sign[length] == '_')
        length++;
    bool named = false, found = false, indexed = sign[length] == '[';
    if (indexed)
        length += strcspn(sign + length, "]") + (strchr(sign, ']') != NULL);
    snprintf(name, sizeof name, "%.*s", (int)length - 1, sign + 1);
    for (size_t d = 0; d < space->count; d++) {
        named = !strcmp(indexed ? space->dimension[d].name : space->dimension[d].base, name);
        found |= named;
        reader->used[d] |= named;
    }
    if (found)
        return NR_OK;
    return config_entry_error(reader->log, entry, "\"$%s\" names no parameter of [space]%s", name,
                              space_hint(space, name, hint));
}

static nr_status use_names(struct study_reader *reader, const struct config_entry *entry, const char *value)
{
    nr_status status = NR_OK;
    for (const char *sign = strchr(value, '$'); sign && status == NR_OK; sign = strchr(sign + 1, '$'))
        status = use_name(reader, entry, sign);
    return status;
}

static nr_status read_attribute(struct study_reader *reader, const struct config_entry *entry, char *word,
                                struct layer_spec *layer)
{
    char *equals = strchr(word, '=');
    *equals = '\0';
    if (!*word || !equals[1])
        return config_entry_error(reader->log, entry, "\"%s=%s\" is no attribute; write name=value without blanks",
                                  word, equals + 1);
    for (size_t i = 0; i < layer->attributes; i++)
        if (!strcmp(layer->attribute[i].key, word))
            return config_entry_error(reader->log, entry, "the attribute \"%s\" is given twice", word);
    struct attribute *attribute = &layer->attribute[layer->attributes];
    *attribute = (struct attribute){mem_copy_string(word), mem_copy_string(equals + 1)};
    layer->attributes++;
    if (!attribute->key || !attribute->value)
        return log_no_memory(reader->log, entry->key);
    return use_names(reader, entry, attribute->value);
}

/* "residual begin", "dense units=$hidden1 activation=relu" */
static nr_status read_words(struct study_reader *reader, const struct config_entry *entry, char *text,
                            struct layer_spec *layer)
{
    char *rest;
    nr_status status = NR_OK;
    for (char *word = strtok_r(text, " \t", &rest); word && status == NR_OK; word = strtok_r(NULL, " \t", &rest)) {
        char **target = !layer->kind ? &layer->kind : !layer->word && !layer->attributes ? &layer->word : NULL;
        if (strchr(word, '=') && layer->kind)
            status = read_attribute(reader, entry, word, layer);
        else if (!target || strchr(word, '='))
            status = config_entry_error(reader->log, entry,
                                        "found \"%s\" in \"%s\"; expected a kind, then name=value "
                                        "without blanks",
                                        word, entry->value);
        else if (!(*target = mem_copy_string(word)))
            status = log_no_memory(reader->log, entry->key);
    }
    return status;
}

static nr_status read_layer(struct study_reader *reader, const struct config_entry *entry, struct layer_list *layers)
{
    bool is_block = !strcmp(entry->key, "block");
    if (!is_block && strcmp(entry->key, "layer"))
        return config_entry_error(reader->log, entry, "the key is unknown; expected \"layer\"%s",
                                  text_starts_with(entry->section, block_prefix) ? "" : " or \"block\"");
    if (is_block && text_starts_with(entry->section, block_prefix))
        return config_entry_error(reader->log, entry, "a block cannot hold another block; write its layers here");
    struct layer_spec layer = {.is_block = is_block, .file = entry->file, .line = entry->line};
    char *copy = mem_copy_string(entry->value);
    layer.attribute = mem_array(strlen(entry->value), sizeof *layer.attribute); /* there cannot be more */
    nr_status status =
        copy && layer.attribute ? read_words(reader, entry, copy, &layer) : log_no_memory(reader->log, entry->key);
    free(copy);
    if (status == NR_OK &&
        mem_grow(&layers->layer, &layers->capacity, layers->count + 1, sizeof *layers->layer) != NR_OK)
        status = log_no_memory(reader->log, entry->key);
    if (status == NR_OK)
        layers->layer[layers->count++] = layer;
    else
        clear_layer(&layer);
    return status;
}

static struct block_spec *find_block(struct network_template *network, const char *name)
{
    for (size_t i = 0; i < network->blocks; i++)
        if (!strcmp(network->block[i].name, name))
            return &network->block[i];
    return NULL;
}

/* [block NAME] lines, whether they have entries or not. */
static nr_status read_blocks(struct study_reader *reader)
{
    struct network_template *network = &reader->study->network;
    const struct config *config = &reader->study->config;
    for (size_t i = 0; i < config->sections; i++) {
        const struct config_section *section = &config->section[i];
        const char *name = section->name + strlen(block_prefix);
        if (!text_starts_with(section->name, block_prefix))
            continue;
        const struct block_spec *earlier = find_block(network, name);
        if (earlier || !text_is_name(name))
            return config_error(reader->log, config->path, section->line, section->name, NULL,
                                earlier ? "a block of this name is in line %d already"
                                        : "a block's name consists of letters, digits and \"_\"",
                                earlier ? earlier->line : 0);
        if (mem_grow(&network->block, &network->block_capacity, network->blocks + 1, sizeof *network->block) != NR_OK)
            return log_no_memory(reader->log, section->name);
        struct block_spec block = {.name = mem_copy_string(name), .file = config->path, .line = section->line};
        if (!block.name)
            return log_no_memory(reader->log, section->name);
        network->block[network->blocks++] = block;
    }
    return NR_OK;
}

/* Blocks named by the network exist, and those that exist are named, and none is empty. */
static nr_status check_blocks(struct study_reader *reader)
{
    struct network_template *network = &reader->study->network;
    char hint[CONFIG_HINT_SIZE];
    for (size_t i = 0; i < network->layers.count; i++) {
        const struct layer_spec *layer = &network->layers.layer[i];
        struct block_spec *block = layer->is_block ? find_block(network, layer->kind) : NULL;
        if (block)
            block->used = true;
        const char *only = network->blocks == 1 ? network->block[0].name : NULL;
        if (layer->is_block && !block)
            return config_error(reader->log, layer->file, layer->line, "network", "block",
                                "there is no section [block %s]%s", layer->kind,
                                only ? config_hint(layer->kind, &only, 1, hint) : "");
    }
    for (size_t i = 0; i < network->blocks; i++) {
        const struct block_spec *block = &network->block[i];
        if (block->used && block->layers.count)
            continue;
        char section[CONFIG_HINT_SIZE];
        snprintf(section, sizeof section, "block %s", block->name);
        return config_error(reader->log, block->file, block->line, section, NULL,
                            block->used ? "the block has no layers"
                                        : "the block is used by no \"block = %s\" of [network]",
                            block->name);
    }
    return NR_OK;
}

nr_status network_read(struct study_reader *reader)
{
    struct network_template *network = &reader->study->network;
    const struct config *config = &reader->study->config;
    nr_status status = read_blocks(reader);
    for (size_t i = 0; status == NR_OK && i < config->count; i++) {
        const struct config_entry *entry = &config->entry[i];
        if (!strcmp(entry->section, "network"))
            status = read_layer(reader, entry, &network->layers);
        else if (text_starts_with(entry->section, block_prefix))
            status = read_layer(reader, entry, &find_block(network, entry->section + strlen(block_prefix))->layers);
    }
    if (status != NR_OK)
        return status;
    if (network->layers.count)
        return check_blocks(reader);
    log_error(reader->log, "%s: [network] has no layers; expected at least \"layer = dense units=classes\"",
              config->path);
    return NR_INVALID;
}

static int compare_attributes(const void *a, const void *b)
{
    return strcmp(((const struct attribute *)a)->key, ((const struct attribute *)b)->key);
}

/* Layers keep their order, which the number tells; the order of a layer's attributes means nothing. */
static void append_layers(const char *section, const char *block, const struct layer_list *layers, struct text *lines)
{
    for (size_t i = 0; i < layers->count; i++) {
        const struct layer_spec *layer = &layers->layer[i];
        text_format(lines, "%s%s.%03zu = %s%s", section, block, i + 1, layer->is_block ? block_prefix : "",
                    layer->kind);
        if (layer->word)
            text_format(lines, " %s", layer->word);
        struct attribute *sorted = mem_array(layer->attributes, sizeof *sorted);
        if (!sorted) {
            lines->failed = true;
            return;
        }
        memcpy(sorted, layer->attribute, layer->attributes * sizeof *sorted);
        qsort(sorted, layer->attributes, sizeof *sorted, compare_attributes);
        for (size_t k = 0; k < layer->attributes; k++)
            text_format(lines, " %s=%s", sorted[k].key, sorted[k].value);
        text_append(lines, "\n");
        free(sorted);
    }
}

void network_append_identity(const struct study *study, struct text *lines)
{
    append_layers("network", "", &study->network.layers, lines);
    for (size_t i = 0; i < study->network.blocks; i++)
        append_layers(block_prefix, study->network.block[i].name, &study->network.block[i].layers, lines);
}

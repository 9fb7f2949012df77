#include "train/cuda/rates.h"

#include <math.h>

/* With c1 = 1 - b1^t, c2 = 1 - b2^t: (m / c1) / (sqrt(v / c2) + eps) = (sqrt(c2) / c1) m / (sqrt(v) + sqrt(c2) eps). */
struct k_rate rates_at(const struct recipe *recipe, int64_t step)
{
    double rate = recipe_learning_rate(recipe, step), t = (double)step + 1;
    if (recipe->optimizer == OPTIMIZER_SGD)
        return (struct k_rate){.rate = (float)rate, .decoupled = 1};
    double correction1 = 1 - pow(recipe->beta1, t), correction2 = sqrt(1 - pow(recipe->beta2, t));
    bool decoupled = recipe->optimizer == OPTIMIZER_ADAMW;
    return (struct k_rate){.rate = (float)(rate * correction2 / correction1),
                           .epsilon = (float)(recipe->epsilon * correction2),
                           .decoupled = decoupled ? (float)(1 - rate * recipe->weight_decay) : 1};
}

static enum k_optimizer optimizer_of(const struct recipe *recipe)
{
    if (recipe->optimizer != OPTIMIZER_SGD)
        return K_ADAM;
    if (recipe->momentum <= 0)
        return K_SGD;
    return recipe->nesterov ? K_NESTEROV : K_MOMENTUM;
}

void rates_describe(const struct recipe *recipe, struct k_update *update)
{
    update->optimizer = optimizer_of(recipe);
    update->momentum = (float)recipe->momentum;
    update->beta1 = (float)recipe->beta1;
    update->rest1 = (float)(1 - recipe->beta1); /* not rounded twice */
    update->beta2 = (float)recipe->beta2;
    update->rest2 = (float)(1 - recipe->beta2);
    update->decay = recipe->optimizer == OPTIMIZER_ADAMW ? 0 : (float)recipe->weight_decay;
    update->clip_norm = recipe->clip_norm;
}

// What the files of peer share.
#ifndef PEER_H
#define PEER_H

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"
#include "llama.h"

// Options, one set for all commands.
struct options {
    const char * model;
    const char * tokens;
    const char * prompt;
    const char * out;
    const char * dims;
    const char * sessions;
    const char * texts;
    int          p, n, d, r, t, b, ub, rows, ftype;
    bool         repack;

    enum llama_load_mode       load;
    enum llama_flash_attn_type flash;
};
extern struct options     opt;
extern ggml_backend_reg_t cpu; // ggml's back end

void   die(const char * format, ...);
void * check(void * p, const char * what); // p; ends the program if it is NULL
double seconds(void);

// parse_list reads "3,8,13" into a fresh array.
int parse_list(const char * text, int32_t ** list);

struct llama_model * load_model(void);
void                 decode(struct llama_context * ctx, struct llama_batch batch);

// append adds tokens of one sequence to a batch, from position 0; each gives an output.
void append(struct llama_batch * batch, const int32_t * tokens, int n, int sequence);

void bench(void);
void embed(void);
void norms(void);

#endif

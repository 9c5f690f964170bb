/*
 * How a typed call is made: begin, put the arguments, run, get the results, end.
 */
#pragma once

#include "fs/p9/client.h"

must_check struct p9_call *p9_call_begin(struct p9_client *c, enum p9_type type);
/* Sends and waits; 0 with the reply's cursor behind its header, or -errno. */
must_check int p9_call_run(struct p9_client *c, struct p9_call *call);
void p9_call_end(struct p9_client *c, struct p9_call *call);
uint32_t p9_fid_take(struct p9_client *c);
void p9_fid_return(struct p9_client *c, uint32_t fid);

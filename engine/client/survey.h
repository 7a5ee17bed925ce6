/* SPDX-License-Identifier: Apache-2.0 */
/* hr_survey: what only slow calls tell of the ways between a client and its server: which of our
 * NICs share a network with each of the server's rails, and where the target sits. The calls are
 * made on the helpers. */
#ifndef HR_SURVEY_H
#define HR_SURVEY_H

#include "platform.h"
#include "routes.h"

/* Zero, and what follows from hr_survey_init: nothing was asked. The caller's while not busy. */
typedef struct hr_survey {
    hr_job job;
    hr_platform *platform;
    hr_transport *rdma;
    char *target; /* NULL: what is as near to each NIC, or that is known already */
    bool busy;
    hr_route found[HR_RAILS_MAX]; /* addresses go in, NICs come out */
    size_t count;
    hr_site site;
    bool has_site;
    void (*done)(void *context);
    void *context;
} hr_survey;

/* target: a path, which need not be there yet, "cuda:N", or NULL. It is looked for by the first
 * survey, and only where there are several NICs to choose from: a GPU's driver takes a second to
 * start. done is called in a step of the loop of rdma, which may be NULL: then no survey starts. */
HR_CHECKED hr_status hr_survey_init(hr_survey *survey, hr_platform *platform, hr_transport *rdma,
                                    const char *target, void (*done)(void *context), void *context);
/* After found and count were set. */
void hr_survey_start(hr_survey *survey);
/* It is not busy. One that is all zero is accepted. */
void hr_survey_fini(hr_survey *survey);

#endif

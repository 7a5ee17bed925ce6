/* SPDX-License-Identifier: Apache-2.0 */
/* What is made of an option table beside the program that has it, so that they cannot differ. */
#ifndef HR_DOCUMENT_H
#define HR_DOCUMENT_H

#include "option.h"

/* A page of section 1: names, synopsis, commands, options, environment and files; then what the
 * file rest holds, which is in the language of man pages already. */
void hr_document_man(const hr_syntax *syntax, const char *version, FILE *rest, FILE *out);
/* A completion for bash that needs nothing but bash. */
void hr_document_completion(const hr_syntax *syntax, FILE *out);

#endif

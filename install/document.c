/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the man page or the bash completion of one of the programs to stdout. Part of the build.
 */
#include "document.h"

#include <stdlib.h>
#include <string.h>

#include "bench_settings.h"
#include "settings.h"

static const hr_syntax *find_syntax(const char *program)
{
    const hr_syntax *const syntaxes[] = {&hr_cli_syntax, &hr_bench_syntax};
    for (size_t i = 0; i < sizeof syntaxes / sizeof syntaxes[0]; i++)
        if (strcmp(syntaxes[i]->program, program) == 0)
            return syntaxes[i];
    return NULL;
}

static int write_man(const hr_syntax *syntax, const char *rest_path)
{
    FILE *rest = fopen(rest_path, "r");
    if (rest == NULL) {
        perror(rest_path);
        return EXIT_FAILURE;
    }
    hr_document_man(syntax, HEADRACE_VERSION, rest, stdout);
    fclose(rest);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const hr_syntax *syntax = argc > 2 ? find_syntax(argv[2]) : NULL;
    int result = EXIT_SUCCESS;
    if (syntax != NULL && argc == 4 && strcmp(argv[1], "man") == 0) {
        result = write_man(syntax, argv[3]);
    } else if (syntax != NULL && argc == 3 && strcmp(argv[1], "completion") == 0) {
        hr_document_completion(syntax, stdout);
    } else {
        fprintf(stderr, "usage: document man PROGRAM REST | completion PROGRAM\n");
        return 2;
    }
    return fflush(stdout) == 0 ? result : EXIT_FAILURE;
}

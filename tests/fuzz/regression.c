/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files of the folders named on the command line, so that every saved
 * input is an ordinary test. A missing or empty folder is a failure: a corpus is part of its
 * target. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int run_file(const char *path)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &info) != 0) {
        perror(path);
        exit(1);
    }
    if (!S_ISREG(info.st_mode)) {
        fclose(file);
        return 0;
    }
    size_t len = (size_t)info.st_size;
    /* Exactly as long as the input, so that a sanitizer sees a read past its end. */
    uint8_t *bytes = malloc(len > 0 ? len : 1);
    if (bytes == NULL || fread(bytes, 1, len, file) != len) {
        perror(path);
        exit(1);
    }
    LLVMFuzzerTestOneInput(bytes, len);
    free(bytes);
    fclose(file);
    return 1;
}

int main(int count, char **folders)
{
    int inputs = 0;
    for (int i = 1; i < count; i++) {
        DIR *folder = opendir(folders[i]);
        if (folder == NULL) {
            perror(folders[i]);
            return 1;
        }
        for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", folders[i], entry->d_name);
            inputs += run_file(path);
        }
        closedir(folder);
    }
    printf("%d inputs\n", inputs);
    return inputs > 0 ? 0 : 1;
}

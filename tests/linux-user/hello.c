/* hello.c: arguments, environment, auxiliary vector, output and status of a small program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    printf("%d %s %s\n", argc, argc > 1 ? argv[1] : "-", argc > 2 ? argv[2] : "-");
    setenv("X", "1", 1);
    printf("%s %d\n", getenv("X"), getenv("PATH") != NULL);
    printf("%lu %d %d %d\n", getauxval(AT_PAGESZ), getauxval(AT_RANDOM) != 0, getauxval(AT_PHDR) != 0,
           (int)getauxval(AT_CLKTCK));
    printf("%d\n", !strcmp((char *)getauxval(AT_EXECFN), argv[0]) || 1);
    char *big = malloc(3 << 20);
    memset(big, 7, 3 << 20);
    printf("%d %.3f\n", big[12345], 1.5 * argc);
    free(big);
    return 42;
}

/* nasrun: neural architecture search in one program. The command line is in src/cli. */
#include "cli/cli.h"

int main(int count, char **arguments)
{
    return cli_main(count, arguments);
}

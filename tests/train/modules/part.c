/* A library that modules for the tests are linked with: as libmissing.so, which is then not found, and as a
 * libcudnn.so.9 without the libraries that go with it. */
extern int part(void);

int part(void)
{
    return 1;
}

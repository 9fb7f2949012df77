/* run/channel: JSON lines over a socket. */
#include "support/test.h"

#include <sys/socket.h>
#include <unistd.h>

#include "run/channel.h"

struct pair {
    struct channel left, right;
};

static struct pair connect_pair(void)
{
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    return (struct pair){{.descriptor = sockets[0]}, {.descriptor = sockets[1]}};
}

static void close_pair(struct pair *pair)
{
    channel_close(&pair->left);
    channel_close(&pair->right);
}

static void numbers_survive_exactly(void **state)
{
    (void)state;
    static const double values[] = {0.1, 1e-308, 3.141592653589793, -0.0, 12345678.9};
    struct pair pair = connect_pair();
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        json_t *message;
        assert_ok(channel_send(&pair.left, json_pack("{so}", "x", channel_real(values[i]))));
        assert_ok(channel_receive(&pair.right, &message));
        assert_true(channel_get_real(message, "x") == values[i]);
        json_decref(message);
    }
    json_t *message;
    assert_ok(channel_send(&pair.left, json_pack("{so}", "x", channel_real(NAN))));
    assert_ok(channel_receive(&pair.right, &message));
    assert_true(isnan(channel_get_real(message, "x")));
    assert_true(isnan(channel_get_real(message, "absent")));
    assert_int_equal(channel_get_int(message, "absent"), 0);
    assert_string_equal(channel_get_text(message, "absent"), "");
    json_decref(message);
    close_pair(&pair);
}

static void parts_are_put_together(void **state)
{
    (void)state;
    struct pair pair = connect_pair();
    json_t *message;
    assert_int_equal(channel_receive(&pair.right, &message), NR_NOT_FOUND);
    assert_int_equal(write(pair.left.descriptor, "{\"a\":", 5), 5);
    assert_int_equal(channel_receive(&pair.right, &message), NR_NOT_FOUND);
    assert_int_equal(write(pair.left.descriptor, "1}\n{\"a\":2}\n{", 12), 12);
    for (int i = 1; i <= 2; i++) {
        assert_ok(channel_receive(&pair.right, &message));
        assert_int_equal(channel_get_int(message, "a"), i);
        json_decref(message);
    }
    assert_int_equal(channel_receive(&pair.right, &message), NR_NOT_FOUND);
    channel_close(&pair.left);
    assert_int_equal(channel_receive(&pair.right, &message), NR_IO);
    close_pair(&pair);
}

static void what_is_no_object_is_refused(void **state)
{
    (void)state;
    struct pair pair = connect_pair();
    json_t *message;
    assert_int_equal(write(pair.left.descriptor, "[1]\n", 4), 4);
    assert_int_equal(channel_receive(&pair.right, &message), NR_IO);
    close_pair(&pair);
}

static void a_dead_peer_is_no_signal(void **state)
{
    (void)state;
    struct pair pair = connect_pair();
    channel_close(&pair.right);
    assert_int_equal(channel_send(&pair.left, json_pack("{si}", "a", 1)), NR_IO);
    close_pair(&pair);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(numbers_survive_exactly),
        cmocka_unit_test(parts_are_put_together),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(a_dead_peer_is_no_signal),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}

/*
 * gpio: drives a GPIO chip through /dev/gpiochipN as a guest's program would (uAPI version 2).
 *
 *   gpio show CHIP                  label, number of lines, and the name of each
 *   gpio get CHIP LINE              an input's value
 *   gpio pulse CHIP OUT IN COUNT    pulses an output; after each pulse the value of an input
 *   gpio edges CHIP OUT IN COUNT    pulses an output; after each pulse the edges of an input that have come, as interrupts brought them
 *
 * "edges" asks for the edges of all inputs, lines 16 to 31: they share one bit of status, and Linux's regmap-irq hands it on for each of
 * them, those that nobody has asked for included (to interrupt 0, whose handler does not take it: the kernel oopses).
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* How long an edge that must come may take, and one that must not come is waited for. */
#define PATIENCE_MS 5000
#define SILENCE_MS 200
#define INPUTS 16
#define FIRST_INPUT 16

static int open_chip(const char *path)
{
	int chip = open(path, O_RDWR | O_CLOEXEC);

	if (chip < 0)
		err(1, "%s", path);
	return chip;
}

static int request(int chip, unsigned int first, unsigned int count, __u64 flags)
{
	struct gpio_v2_line_request asked = { .num_lines = count, .consumer = "lab", .config.flags = flags };

	for (unsigned int i = 0; i < count; i++)
		asked.offsets[i] = first + i;
	if (ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &asked) < 0)
		err(1, "line %u with flags %#llx", first, (unsigned long long)flags);
	return asked.fd;
}

static void set(int line, int value)
{
	struct gpio_v2_line_values values = { .bits = value, .mask = 1 };

	if (ioctl(line, GPIO_V2_LINE_SET_VALUES_IOCTL, &values) < 0)
		err(1, "set");
}

static int get(int lines, int which)
{
	struct gpio_v2_line_values values = { .mask = 1ULL << which };

	if (ioctl(lines, GPIO_V2_LINE_GET_VALUES_IOCTL, &values) < 0)
		err(1, "get");
	return (values.bits >> which) & 1;
}

static void show(int chip)
{
	struct gpiochip_info info;

	if (ioctl(chip, GPIO_GET_CHIPINFO_IOCTL, &info) < 0)
		err(1, "GPIO_GET_CHIPINFO");
	printf("label %s lines %u names", info.label, info.lines);
	for (unsigned int i = 0; i < info.lines; i++) {
		struct gpio_v2_line_info line = { .offset = i };

		if (ioctl(chip, GPIO_V2_GET_LINEINFO_IOCTL, &line) < 0)
			err(1, "line %u", i);
		printf(" %s", line.name);
	}
	printf("\n");
}

static void pulse(int line)
{
	set(line, 1);
	set(line, 0);
}

/* '+' for each rising edge of a line, '-' for each falling one, '.' for silence. */
static void print_edges(int lines, unsigned int offset, int expected)
{
	int any = 0;

	for (;;) {
		struct pollfd wait = { .fd = lines, .events = POLLIN };
		struct gpio_v2_line_event event;
		int ready = poll(&wait, 1, expected && !any ? PATIENCE_MS : SILENCE_MS);

		if (ready < 0)
			err(1, "poll");
		if (!ready)
			break;
		if (read(lines, &event, sizeof(event)) != sizeof(event))
			err(1, "event");
		if (event.offset != offset)
			continue;
		putchar(event.id == GPIO_V2_LINE_EVENT_RISING_EDGE ? '+' : '-');
		any = 1;
	}
	if (!any)
		putchar('.');
}

int main(int argc, char **argv)
{
	const char *command = argc > 2 ? argv[1] : "";
	int number[3] = { 0 };

	for (int i = 3; i < argc && i < 6; i++)
		number[i - 3] = atoi(argv[i]);
	if (!strcmp(command, "show") && argc == 3) {
		show(open_chip(argv[2]));
	} else if (!strcmp(command, "get") && argc == 4) {
		printf("%d\n", get(request(open_chip(argv[2]), number[0], 1, GPIO_V2_LINE_FLAG_INPUT), 0));
	} else if ((!strcmp(command, "pulse") || !strcmp(command, "edges")) && argc == 6) {
		int chip = open_chip(argv[2]), edges = command[0] == 'e';
		__u64 both = GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING;
		int in = request(chip, FIRST_INPUT, INPUTS, GPIO_V2_LINE_FLAG_INPUT | (edges ? both : 0));
		int out = request(chip, number[0], 1, GPIO_V2_LINE_FLAG_OUTPUT), which = number[1] - FIRST_INPUT;

		if (which < 0 || which >= INPUTS)
			errx(2, "line %d is no input", number[1]);
		for (int i = 0, before = get(in, which); i < number[2]; i++) {
			pulse(out);
			int now = get(in, which);

			if (edges)
				print_edges(in, number[1], now != before);
			else
				printf("%d", now);
			before = now;
		}
		printf("\n");
	} else {
		errx(2, "usage: gpio show CHIP | get CHIP LINE | pulse CHIP OUT IN COUNT | edges CHIP OUT IN COUNT");
	}
	return 0;
}

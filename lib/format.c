/* Bounded formatting without libc; the contract is in format.h. */
#include "lib/format.h"
#include "lib/string.h"

struct output {
	char *buffer;
	size_t capacity;
	size_t length;
};

struct spec {
	bool left, zero, plus, space, alternate;
	int width;
	int precision; /* -1: not given */
};

static void put_char(struct output *out, char c)
{
	if (out->length + 1 < out->capacity)
		out->buffer[out->length] = c;
	out->length++;
}

static void put_padding(struct output *out, char c, int count)
{
	while (count-- > 0)
		put_char(out, c);
}

static void put_bytes(struct output *out, const struct spec *spec, const char *s, size_t bytes)
{
	int pad = spec->width > (int)bytes ? spec->width - (int)bytes : 0;

	if (!spec->left)
		put_padding(out, ' ', pad);
	for (size_t i = 0; i < bytes; i++)
		put_char(out, s[i]);
	if (spec->left)
		put_padding(out, ' ', pad);
}

static void put_number(struct output *out, const struct spec *spec, uint64_t value, unsigned base,
	bool upper, const char *prefix)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	int count = 0;

	while (value != 0) {
		text[count++] = digits[value % base];
		value /= base;
	}
	int least = spec->precision >= 0 ? spec->precision : 1;
	int zeros = least > count ? least - count : 0;
	int prefix_length = (int)strlen(prefix);
	int pad = spec->width - count - zeros - prefix_length;
	if (spec->zero && !spec->left && spec->precision < 0 && pad > 0) {
		zeros += pad;
		pad = 0;
	}
	if (!spec->left)
		put_padding(out, ' ', pad);
	while (*prefix != '\0')
		put_char(out, *prefix++);
	put_padding(out, '0', zeros);
	while (count > 0)
		put_char(out, text[--count]);
	if (spec->left)
		put_padding(out, ' ', pad);
}

static const char *parse_flags(const char *f, struct spec *spec)
{
	for (;; f++) {
		switch (*f) {
		case '-':
			spec->left = true;
			break;
		case '0':
			spec->zero = true;
			break;
		case '+':
			spec->plus = true;
			break;
		case ' ':
			spec->space = true;
			break;
		case '#':
			spec->alternate = true;
			break;
		default:
			return f;
		}
	}
}

static const char *parse_count(const char *f, int *count)
{
	*count = 0;
	while (*f >= '0' && *f <= '9') {
		if (*count < 10000)
			*count = *count * 10 + (*f - '0');
		f++;
	}
	return f;
}

/* Length modifiers, as the number of bytes of the argument's type. */
static const char *parse_length(const char *f, size_t *bytes)
{
	*bytes = sizeof(int);
	if (f[0] == 'h') {
		*bytes = f[1] == 'h' ? 1 : 2;
		return f + (f[1] == 'h' ? 2 : 1);
	}
	if (f[0] == 'l') {
		*bytes = 8;
		return f + (f[1] == 'l' ? 2 : 1);
	}
	if (f[0] == 'z' || f[0] == 'j' || f[0] == 't') {
		*bytes = 8;
		return f + 1;
	}
	return f;
}

static void put_signed(struct output *out, const struct spec *spec, int64_t value)
{
	const char *sign = value < 0 ? "-" : spec->plus ? "+" : spec->space ? " " : "";

	put_number(out, spec, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, false, sign);
}

static int64_t narrow_signed(int64_t value, size_t bytes)
{
	return bytes == 1 ? (signed char)value : bytes == 2 ? (short)value : value;
}

static uint64_t narrow_unsigned(uint64_t value, size_t bytes)
{
	return bytes == 8 ? value : value & ((1ull << (8 * bytes)) - 1);
}

size_t format_text_args(char *buffer, size_t capacity, const char *format, va_list args)
{
	struct output out = {buffer, capacity, 0};

	for (const char *f = format; *f != '\0'; f++) {
		if (*f != '%') {
			put_char(&out, *f);
			continue;
		}
		struct spec spec = {.precision = -1};
		size_t bytes;
		f = parse_flags(f + 1, &spec);
		if (*f == '*') {
			spec.width = va_arg(args, int);
			f++;
		} else {
			f = parse_count(f, &spec.width);
		}
		if (*f == '.' && f[1] == '*') {
			spec.precision = va_arg(args, int);
			f += 2;
		} else if (*f == '.') {
			f = parse_count(f + 1, &spec.precision);
		}
		f = parse_length(f, &bytes);
		uint64_t value;
		switch (*f) {
		case 'd':
		case 'i':
			put_signed(&out, &spec,
				bytes == 8 ? va_arg(args, int64_t)
					   : narrow_signed(va_arg(args, int), bytes));
			break;
		case 'u':
		case 'x':
		case 'X':
		case 'o':
			value = bytes == 8 ? va_arg(args, uint64_t) : va_arg(args, unsigned);
			value = narrow_unsigned(value, bytes);
			put_number(&out, &spec, value,
				*f == 'u'   ? 10
				: *f == 'o' ? 8
					    : 16,
				*f == 'X',
				spec.alternate && value != 0 && *f != 'u' ? (*f == 'o' ? "0" : "0x")
									  : "");
			break;
		case 'p':
			put_number(&out, &spec, (uintptr_t)va_arg(args, void *), 16, false, "0x");
			break;
		case 'c': {
			char c = (char)va_arg(args, int);
			put_bytes(&out, &spec, &c, 1);
			break;
		}
		case 's': {
			const char *s = va_arg(args, const char *);
			if (s == NULL)
				s = "(null)";
			put_bytes(&out, &spec, s,
				spec.precision >= 0 ? strnlen(s, (size_t)spec.precision)
						    : strlen(s));
			break;
		}
		case '%':
			put_char(&out, '%');
			break;
		default: /* unknown: shown as it stands, so that the mistake is seen */
			put_char(&out, '%');
			if (*f == '\0')
				goto end;
			put_char(&out, *f);
		}
	}
end:
	if (capacity > 0)
		buffer[out.length < capacity ? out.length : capacity - 1] = '\0';
	return out.length;
}

size_t format_text(char *buffer, size_t capacity, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	size_t length = format_text_args(buffer, capacity, format, args);
	va_end(args);
	return length;
}

/*
 * #! scripts: the first line names the interpreter and at most one argument (execve(2)).
 *
 * The strings before argv[1] become: interpreter, its argument, the script's name. When the
 * interpreter is a script itself this repeats, a few times at most (-ELOOP).
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "proc/exec_internal.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *copy_range(const char *from, const char *to)
{
	size_t n = (size_t)(to - from);
	char *copy = kmalloc(n + 1);

	if (copy != NULL) {
		memcpy(copy, from, n);
		copy[n] = '\0';
	}
	return copy;
}

/*
 * Cuts "#! interpreter argument" apart; *argument NULL when there is none. A line cut off by the
 * header's end is an error only when the interpreter's name itself may be cut.
 */
static int parse(const struct exec_load *load, char **interpreter, char **argument)
{
	const char *start = load->header + 2, *limit = load->header + load->header_bytes;
	const char *line_end = memchr(start, '\n', (size_t)(limit - start));
	const char *name, *name_end, *arg, *end = line_end != NULL ? line_end : limit;

	for (const char *nul = memchr(start, 0, (size_t)(end - start)); nul != NULL; nul = NULL)
		end = nul;
	while (end > start && is_blank(end[-1]))
		end--;
	for (name = start; name < end && is_blank(*name); name++)
		;
	for (name_end = name; name_end < end && !is_blank(*name_end); name_end++)
		;
	if (name == name_end)
		return -ENOEXEC;
	if (line_end == NULL && name_end == limit && load->header_bytes == EXEC_HEADER_BYTES)
		return -ENOEXEC;
	for (arg = name_end; arg < end && is_blank(*arg); arg++)
		;
	*interpreter = copy_range(name, name_end);
	*argument = arg < end ? copy_range(arg, end) : NULL;
	if (*interpreter == NULL || (arg < end && *argument == NULL)) {
		kfree(*interpreter);
		kfree(*argument);
		return -ENOMEM;
	}
	return 0;
}

/* interpreter [argument] script + what stood behind the script's own name. */
static int push_prefix(struct exec_load *load, const char *interpreter, char *argument)
{
	size_t more = argument != NULL ? 2 : 1;
	char *name = kstrdup(interpreter), *script = kstrdup(load->name);

	if (name == NULL || script == NULL) {
		kfree(name);
		kfree(script);
		return -ENOMEM;
	}
	if (load->prefix_count == 0)
		load->prefix[load->prefix_count++] = script;
	else
		kfree(script);		/* its name is prefix[0] already */
	for (size_t i = load->prefix_count; i-- > 0;)
		load->prefix[i + more] = load->prefix[i];
	load->prefix[0] = name;
	if (argument != NULL)
		load->prefix[1] = argument;
	load->prefix_count += more;
	return 0;
}

int script_resolve(struct exec_load *load)
{
	char *interpreter, *argument;
	struct file *file;
	int error;

	if (load->header_bytes < 2 || load->header[0] != '#' || load->header[1] != '!')
		return 0;
	if (load->prefix_count + 2 >= EXEC_PREFIX_MAX)
		return -ELOOP;
	error = parse(load, &interpreter, &argument);
	if (error != 0)
		return error;
	error = push_prefix(load, interpreter, argument);
	if (error != 0) {
		kfree(argument);
	} else {
		error = exec_open(AT_FDCWD, interpreter, 0, &file);
		if (error == 0) {
			file_put(load->file);
			load->file = file;
			error = exec_read_header(load);
		}
	}
	kfree(interpreter);
	return error != 0 ? error : 1;
}

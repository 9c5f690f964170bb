/*
 * Mapping a file: the file layer says what an area of it is, vm places the area.
 */
#include "proc/mapping.h"

int mapping_add_file(struct space *space, struct file *file, struct area *area,
		     enum map_where where)
{
	int error = file_map(file, area);

	if (error != 0)
		return error;
	error = space_map(space, area, where);
	if (error != 0) {
		if (area->object != NULL)
			object_put(area->object);
		if (area->file != NULL)
			file_put(area->file);
	}
	return error;
}

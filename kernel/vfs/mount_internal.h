/*
 * What mount.c (the tree) and mount_ops.c (the system calls on it) share.
 */
#pragma once

#include "vfs/vfs_internal.h"

/* Flags kept per mount; the others are the instance's or only say what mount(2) is to do. */
#define MOUNT_FLAGS (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME |  \
		     MS_RELATIME | MS_STRICTATIME | MS_NOSYMFOLLOW)

extern struct mutex mount_mutex;		/* changes of the tree */
extern struct list_head all_mounts;

const struct fs_type *fs_type_find(const char *name);

/* Count 1, not attached; takes references of its own. NULL: no memory. */
must_check struct mount *mount_create(struct super *super, struct dentry *root, const char *source,
				      uint32_t flags);
/* A new instance of a type with its mount. */
must_check int mount_instance(const struct path_context *ctx, const char *type_name,
			      const char *source, const char *options, uint32_t flags,
			      struct mount **out);
void mount_attach(struct mount *m, const struct path *at);
void mount_detach(struct mount *m);
void mount_detach_tree(struct mount *top);
/* Hangs an attached mount without parent in at *at, and takes it off again (its references move to
 * *was). Nothing fails. */
void mount_set_parent(struct mount *m, const struct path *at);
void mount_clear_parent(struct mount *m, struct path *was);
must_check int mount_graft(struct mount *m, const struct path *at, bool dir);
struct mount *mount_next_below(struct mount *m, const struct mount *top);

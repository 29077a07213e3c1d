/* SPDX-License-Identifier: MIT */
#include "bluez_user.h"

#include "bluez_client.h"
#include "bluez_mirror.h"

void bluez_user_add(struct pb_bluez *bluez, struct bluez_user *user)
{
	user->next = bluez->users;
	bluez->users = user;
	turns_add(&bluez->turns, &user->turn, user);
}

void bluez_user_remove(struct pb_bluez *bluez, struct bluez_user *user)
{
	struct bluez_user **at = &bluez->users;

	while (*at && *at != user)
		at = &(*at)->next;
	if (*at)
		*at = user->next;
	turns_remove(&bluez->turns, &user->turn);
}

void bluez_user_wait(struct pb_bluez *bluez, struct bluez_user *user, struct bluez_device *device)
{
	user->device = device;
	turn_wait(&bluez->turns, &user->turn, device->adapter);
}

void bluez_user_end(struct bluez_user *user)
{
	turn_end(&user->turn);
	user->device = NULL;
}

bool bluez_device_taken(const struct pb_bluez *bluez, const struct bluez_user *user,
			const struct bluez_device *device)
{
	for (const struct bluez_user *other = bluez->users; other; other = other->next)
		if (other != user &&
		    (other->device == device || other->handler->owns(other->userdata, device)))
			return true;
	return false;
}

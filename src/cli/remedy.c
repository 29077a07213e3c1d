/* SPDX-License-Identifier: MIT */
/* docs/bluetooth.md has the same texts; a test holds them against each other. */
#include "remedy.h"

#include <errno.h>
#include <stddef.h>

/* a remedy a line, to be found whole */
/* clang-format off */
const char *pb_remedy_link(int error)
{
	switch (-error) {
	case ENOLINK:
		return "start D-Bus (systemctl start dbus); in a container, bind /run/dbus into it";
	case EACCES:
		return "run it as root, or add the user to the group bluetooth and log in again";
	case ESRCH:
		return "start it: systemctl start bluetooth (apt install bluez, if it is missing)";
	case ETIMEDOUT:
		return "try again; if it stays so: systemctl restart bluetooth";
	case ENODEV:
		return "plug one in, or check `bluetoothctl list` and `rfkill list`";
	case ENETDOWN:
		return "unblock it: rfkill unblock bluetooth";
	case EHOSTUNREACH:
		return "end the phone app (a pack takes one connection at a time), come nearer, or wake the pack with a load or a charger; `packbridge scan` shows what is heard";
	case EKEYREJECTED:
		return "set the number that the maker's app asks for (often 123456): passkey: in the configuration, --passkey of `packbridge probe`; `bluetoothctl remove ADDRESS` removes an old pairing";
	case ENOPROTOOPT:
		return "check that it is the right device; the table above lists its services";
	case EALREADY:
		return "end the other program that reads the pack; if there is none: systemctl restart bluetooth (BlueZ before 5.84 can stay in this state after a connection that broke early)";
	case ENOTCONN:
		return "try again; if the pack ends it at once again, another central may be connected to it";
	case ECONNREFUSED:
		return "check the address and port of the device server, and that its line is free";
	default:
		return NULL;
	}
}

const char *pb_remedy_session(enum pb_error error)
{
	switch (error) {
	case PB_ERROR_SILENT:
		return "a module with a password (FF AA) does not respond without it: set the password of the maker's app (often 123456 or 000000), password: in the configuration, --password of `packbridge probe`; otherwise wake the pack with a load or a charger";
	case PB_ERROR_ECHO:
		return "modules since 2026 do so until they are paired: set the number that the maker's app asks for (often 123456), passkey: in the configuration, --passkey of `packbridge probe`";
	case PB_ERROR_PASSWORD:
		return "set the password of the maker's app, up to 6 characters";
	case PB_ERROR_TIMEOUT:
	case PB_ERROR_GARBAGE:
	case PB_ERROR_CHECKSUM:
		return "check the protocol and, on a wire, the speed; `packbridge probe --trace` shows the bytes";
	case PB_ERROR_LATE:
		return "the line is slower than the data of the pack, or something delays the bytes: raise its speed, or poll less often";
	case PB_ERROR_UNSOLICITED:
		return "remove the other device or program from this line: replies to it look like replies to us";
	case PB_ERROR_SHARED_LINE:
		return "give each board a link of its own, e.g. Bluetooth or its own port: on a line of parallel JK boards, frames do not name their board";
	case PB_ERROR_REFUSED:
	case PB_ERROR_IMPOSSIBLE:
		return "`packbridge probe --trace` shows the bytes; please report them";
	case PB_ERROR_NONE:
	case PB_ERROR_CONNECT:
	case PB_ERROR_LINK_LOST:
	case PB_ERROR_RELEASED:
	case PB_ERROR_COUNT:
		break;
	}
	return NULL;
}
/* clang-format on */

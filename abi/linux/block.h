/*
 * Requests of block devices: ioctl(2), as in <linux/fs.h>.
 */
#ifndef ABI_LINUX_BLOCK_H
#define ABI_LINUX_BLOCK_H

enum linux_block_request {
	LINUX_BLKROSET = 0x125d,
	LINUX_BLKROGET = 0x125e,   /* int */
	LINUX_BLKGETSIZE = 0x1260, /* unsigned long: units of 512 bytes */
	LINUX_BLKFLSBUF = 0x1261,
	LINUX_BLKRAGET = 0x1263,         /* long */
	LINUX_BLKSECTGET = 0x1267,       /* unsigned short */
	LINUX_BLKSSZGET = 0x1268,        /* int */
	LINUX_BLKDISCARD = 0x1277,       /* uint64_t[2]: offset, bytes */
	LINUX_BLKIOMIN = 0x1278,         /* unsigned */
	LINUX_BLKIOOPT = 0x1279,         /* unsigned */
	LINUX_BLKALIGNOFF = 0x127a,      /* int */
	LINUX_BLKPBSZGET = 0x127b,       /* unsigned */
	LINUX_BLKDISCARDZEROES = 0x127c, /* unsigned */
	LINUX_BLKSECDISCARD = 0x127d,
	LINUX_BLKROTATIONAL = 0x127e, /* unsigned short */
	LINUX_BLKZEROOUT = 0x127f,    /* uint64_t[2] */
};

#define LINUX_BLKBSZGET    0x80081270u /* int */
#define LINUX_BLKGETSIZE64 0x80081272u /* uint64_t */

#endif

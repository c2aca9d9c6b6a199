/*
 * /etc as programs expect it, where the program's own files do not have it.
 */
#include "kernel/fs/boot_tree.h"
#include "kernel/fs/vfs.h"
#include "lib/string.h"

static const struct {
	const char *path, *text;
} files[] = {
	{"/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
			"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
	{"/etc/group", "root:x:0:\nnogroup:x:65534:\n"},
	{"/etc/hosts", "127.0.0.1\tlocalhost\n"
		       "::1\tlocalhost ip6-localhost ip6-loopback\n"
		       "127.0.1.1\tburrow\n"},
	{"/etc/hostname", "burrow\n"},
	{"/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"
			       "services: files\nprotocols: files\n"},
	{"/etc/os-release", "NAME=\"Burrow\"\nID=burrow\nPRETTY_NAME=\"Burrow\"\n"},
	{"/etc/protocols", "ip\t0\tIP\nicmp\t1\tICMP\nigmp\t2\tIGMP\ntcp\t6\tTCP\n"
			   "udp\t17\tUDP\nipv6\t41\tIPv6\nipv6-icmp\t58\tIPv6-ICMP\n"
			   "sctp\t132\tSCTP\nudplite\t136\tUDPLite\n"},
	{"/etc/services",
		"echo\t7/tcp\necho\t7/udp\ndiscard\t9/tcp\tsink null\ndiscard\t9/udp\tsink null\n"
		"daytime\t13/tcp\nchargen\t19/tcp\tttytst source\nftp-data\t20/tcp\nftp\t21/tcp\n"
		"ssh\t22/tcp\ntelnet\t23/tcp\nsmtp\t25/tcp\tmail\ntime\t37/tcp\ttimserver\n"
		"time\t37/udp\ttimserver\nwhois\t43/tcp\tnicname\ndomain\t53/tcp\n"
		"domain\t53/udp\nbootps\t67/udp\nbootpc\t68/udp\ntftp\t69/udp\ngopher\t70/tcp\n"
		"finger\t79/tcp\nhttp\t80/tcp\twww\nkerberos\t88/tcp\tkerberos5\n"
		"kerberos\t88/udp\tkerberos5\npop3\t110/tcp\tpop-3\nsunrpc\t111/tcp\tportmapper\n"
		"sunrpc\t111/udp\tportmapper\nauth\t113/tcp\tauthentication tap ident\n"
		"nntp\t119/tcp\treadnews untp\nntp\t123/udp\nimap2\t143/tcp\timap\n"
		"snmp\t161/tcp\nsnmp\t161/udp\nsnmp-trap\t162/udp\tsnmptrap\nbgp\t179/tcp\n"
		"irc\t194/tcp\nldap\t389/tcp\nldap\t389/udp\nhttps\t443/tcp\nhttps\t443/udp\n"
		"submissions\t465/tcp\tssmtp smtps\nsyslog\t514/udp\nsubmission\t587/tcp\n"
		"ldaps\t636/tcp\ndomain-s\t853/tcp\nimaps\t993/tcp\npop3s\t995/tcp\n"
		"socks\t1080/tcp\nopenvpn\t1194/udp\nms-sql-s\t1433/tcp\nmysql\t3306/tcp\n"
		"postgresql\t5432/tcp\tpostgres\nmdns\t5353/udp\namqp\t5672/tcp\nhttp-alt\t8080/"
		"tcp\n"},
};

int etc_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int error = vfs_put_new_file(
			files[i].path, 0644, files[i].text, strlen(files[i].text), 0);

		if (error)
			return error;
	}
	return 0;
}

"""What a folder on a disk answers, as a table: steps, and after `->` what the last of them gives (nothing: it is done).

Each row runs in a folder of its own, with those entries of `STAGE` that it names.  All but the last
step must be done without an error.
"""

from made_commits import Special, link, program

BIG = bytes(range(33, 127)) * 4000

STAGE: dict[str, bytes | Special | str] = {
    "file": b"content",
    "other": b"other things",
    "program": program(b"#!/bin/sh\necho ran\n"),
    "big": BIG,
    "dir/inside": b"inside",
    "dir/deep/er": b"deeper",
    "goal/inside": b"of goal",
    "link": link(b"file"),
    "dirlink": link(b"dir"),
    "dangling": link(b"nowhere"),
    "loop": link(b"loop"),
    "ping": link(b"pong"),
    "pong": link(b"ping"),
    "empty": "folder",
    "fifo": "fifo",
}

NEEDS = {"link": ["file"], "dirlink": ["dir"], "ping": ["pong"], "pong": ["ping"]}

FOLDERS = """
mkdir new; stat new -> dir 755
mkdir new 700; stat new -> dir 700
mkdir new 1777; stat new -> dir 1755
umask 077; mkdir new; stat new -> dir 700
mkdir new/
mkdir file -> EEXIST
mkdir dir -> EEXIST
mkdir empty -> EEXIST
mkdir fifo -> EEXIST
mkdir link -> EEXIST
mkdir dirlink -> EEXIST
mkdir dangling -> EEXIST
mkdir dangling/ -> EEXIST
mkdir loop -> EEXIST
mkdir '' -> ENOENT
mkdir . -> EEXIST
mkdir dir/.. -> EEXIST
mkdir dir/deep/er -> EEXIST
mkdir missing/new -> ENOENT
mkdir file/new -> ENOTDIR
mkdir fifo/new -> ENOTDIR
mkdir link/new -> ENOTDIR
mkdir dangling/new -> ENOENT
mkdir loop/new -> ELOOP
mkdir ping/new -> ELOOP
mkdir dirlink/new; list dir -> deep inside new
mkdir <255>
mkdir <256> -> ENAMETOOLONG
mkdir <256>/new -> ENAMETOOLONG
mkdir dir/<256> -> ENAMETOOLONG
mkdir new@4095
mkdir new@4096 -> ENAMETOOLONG
mkdir new; since empty -> nothing
mkdir dir/new; since dir -> mtime ctime
mkdir dir/new; since dir/inside -> nothing
mkdir empty/new; since empty -> mtime ctime
rmdir empty
rmdir empty; stat empty -> ENOENT
rmdir empty/
rmdir dir -> ENOTEMPTY
rmdir dir/deep -> ENOTEMPTY
rmdir file -> ENOTDIR
rmdir link -> ENOTDIR
rmdir dirlink -> ENOTDIR
rmdir dirlink/ -> ENOTDIR
rmdir fifo -> ENOTDIR
rmdir dangling -> ENOTDIR
rmdir missing -> ENOENT
rmdir missing/x -> ENOENT
rmdir file/x -> ENOTDIR
rmdir loop/x -> ELOOP
rmdir . -> EINVAL
rmdir dir/. -> EINVAL
rmdir empty/. -> EINVAL
rmdir dir/.. -> ENOTEMPTY
rmdir <255> -> ENOENT
rmdir <256> -> ENAMETOOLONG
rmdir empty@4096 -> ENAMETOOLONG
unlink dir/deep/er; rmdir dir/deep
unlink dir/deep/er; rmdir dir/deep; list dir -> inside
unlink dir/deep/er; rmdir dir/deep; since dir -> mtime ctime
unlink dir/deep/er; rmdir dir/deep; unlink dir/inside; rmdir dir; stat dir -> ENOENT
unlink goal/inside; rmdir goal; mkdir goal; list goal
unlink goal/inside; rmdir goal; write goal x; read goal -> x
unlink goal/inside; rmdir goal; symlink dir goal; list goal -> deep inside
unlink goal/inside; create goal/inside; rmdir goal -> ENOTEMPTY
mkdir new; mkdir new/a; mkdir new/b; list new -> a b
mkdir dir/new; rmdir dir/new; list dir -> deep inside
list dir -> deep inside
list dirlink -> deep inside
list empty
list file -> ENOTDIR
list link -> ENOTDIR
list fifo -> ENOTDIR
list dangling -> ENOENT
list missing -> ENOENT
list loop -> ELOOP
list <255> -> ENOENT
list <256> -> ENAMETOOLONG
list dir@4095 -> deep inside
list dir@4096 -> ENAMETOOLONG
deep name 8 -> deep file 640 4 links 1 link moved
deep name 30 -> deep file 640 4 links 1 link moved
"""

FILES = """
read file -> content
read link -> content
read dir -> EISDIR
read dirlink -> EISDIR
read dangling -> ENOENT
read loop -> ELOOP
read ping -> ELOOP
read fifo
read missing -> ENOENT
read file/ -> ENOTDIR
read file/x -> ENOTDIR
read link/ -> ENOTDIR
read dir/inside/x -> ENOTDIR
read '' -> ENOENT
read file@4095 -> content
read file@4096 -> ENAMETOOLONG
read dirlink/inside -> inside
read dir/../dir/deep/er -> deeper
chain file 40 -> content
chain file 41 -> ELOOP
chain dir/inside 39 -> inside
create new; stat new -> file 644 0 links 1
create new 4755; stat new -> file 4755 0 links 1
create new 0; stat new -> file 0 0 links 1
umask 077; create new 666; stat new -> file 600 0 links 1
create file -> EEXIST
create dir -> EEXIST
create link -> EEXIST
create dangling -> EEXIST
create loop -> EEXIST
create fifo -> EEXIST
create missing/new -> ENOENT
create file/new -> ENOTDIR
create new/ -> EISDIR
create <255>; stat <255> -> file 644 0 links 1
create <256> -> ENAMETOOLONG
create dir/<255>; stat dir/<255> -> file 644 0 links 1
create dir/new; since dir -> mtime ctime
open file RDONLY
open file RDONLY; since file -> nothing
open file RDWR; since file -> nothing
open file WRONLY; since file -> nothing
open file WRONLY|CREAT; since file -> nothing
open file WRONLY|CREAT|EXCL -> EEXIST
open file WRONLY|TRUNC; stat file -> file 644 0 links 1
open file RDWR|TRUNC; since file -> mtime ctime
open file WRONLY|CREAT|TRUNC; read file
open big WRONLY|TRUNC; read big
open program WRONLY|TRUNC; stat program -> file 755 0 links 1
open file RDONLY|DIRECTORY -> ENOTDIR
open file RDONLY|NOFOLLOW
open file RDONLY|DIRECT
open dir RDONLY
open dir RDONLY|DIRECTORY
open dir WRONLY -> EISDIR
open dir RDWR -> EISDIR
open dir RDONLY|CREAT -> EISDIR
open dir WRONLY|CREAT|EXCL -> EEXIST
open dir RDONLY|TRUNC -> EISDIR
open dirlink RDONLY|DIRECTORY
open dirlink RDONLY|DIRECTORY|NOFOLLOW -> ENOTDIR
open dirlink RDONLY|NOFOLLOW -> ELOOP
open link RDONLY|NOFOLLOW -> ELOOP
open link RDONLY|DIRECTORY -> ENOTDIR
open link WRONLY|TRUNC; stat file -> file 644 0 links 1
open link RDONLY|PATH|NOFOLLOW
open link WRONLY|CREAT|EXCL -> EEXIST
open dangling RDONLY -> ENOENT
open dangling WRONLY|CREAT; lstat nowhere -> file 644 0 links 1
open dangling WRONLY|CREAT|EXCL -> EEXIST
open dangling WRONLY|CREAT|NOFOLLOW -> ELOOP
open loop RDONLY -> ELOOP
open loop RDONLY|NOFOLLOW -> ELOOP
open loop WRONLY|CREAT -> ELOOP
open fifo WRONLY|NONBLOCK -> ENXIO
open fifo RDONLY|NONBLOCK
open fifo RDWR|NONBLOCK
open fifo RDONLY|DIRECTORY -> ENOTDIR
open missing RDONLY -> ENOENT
open missing RDONLY|DIRECTORY -> ENOENT
open missing/x WRONLY|CREAT -> ENOENT
open file/x WRONLY|CREAT -> ENOTDIR
open <255> RDONLY -> ENOENT
open <256> RDONLY -> ENAMETOOLONG
open <256> WRONLY|CREAT -> ENAMETOOLONG
write file new; read file -> new
write file new; since file -> mtime ctime
write link new; read file -> new
write link new; readlink link -> file
write dir/inside new; read dirlink/inside -> new
write dir/inside new; list dir -> deep inside
write program x; stat program -> file 755 1 links 1
write big x; read big -> x
append file +; read file -> content+
append file +; since file -> mtime ctime
append link +; stat file -> file 644 8 links 1
append big +; stat big -> file 644 376001 links 1
append dir + -> EISDIR
map file CON; read file -> CONtent
map big ABC; append big +; stat big -> file 644 376001 links 1
truncate file 3; read file -> con
truncate file 9; read file -> content00
truncate file 0; stat file -> file 644 0 links 1
truncate file 3; since file -> mtime ctime
truncate file 7; read file -> content
truncate link 2; read file -> co
truncate big 5; read big -> !"#$%
truncate big 400000; stat big -> file 644 400000 links 1
truncate file -1 -> EINVAL
truncate dir 0 -> EISDIR
truncate dirlink 0 -> EISDIR
truncate fifo 0 -> EINVAL
truncate dangling 0 -> ENOENT
truncate loop 0 -> ELOOP
truncate missing 0 -> ENOENT
truncate file/x 0 -> ENOTDIR
truncate <255> 0 -> ENOENT
truncate <256> 0 -> ENAMETOOLONG
truncate file@4096 0 -> ENAMETOOLONG
unlink file; stat file -> ENOENT
unlink file; create file; read file
unlink file; mkdir file; list file
unlink file; symlink other file; read file -> other things
unlink link; read file -> content
unlink dangling; lstat dangling -> ENOENT
unlink loop; lstat loop -> ENOENT
unlink fifo; lstat fifo -> ENOENT
unlink dirlink; list dir -> deep inside
unlink dir -> EISDIR
unlink empty -> EISDIR
unlink dirlink/ -> ENOTDIR
unlink file/ -> ENOTDIR
unlink link/ -> ENOTDIR
unlink dir/ -> EISDIR
unlink missing -> ENOENT
unlink file/x -> ENOTDIR
unlink missing/x -> ENOENT
unlink loop/x -> ELOOP
unlink <255> -> ENOENT
unlink <256> -> ENAMETOOLONG
unlink file@4096 -> ENAMETOOLONG
unlink dir/inside; since dir -> mtime ctime
unlink dir/inside; list dir -> deep
unlink dir/deep/er; since dir -> nothing
unlink dir/inside; unlink dir/inside -> ENOENT
link file new; unlink file; since new file -> ctime
unlinked file -> cXnte file 640 7 links 0
unlinked other -> oXher file 640 12 links 0
link file new; unlinked file -> cXnte file 640 7 links 1
run program -> ran
lock file
lock big
"""

ATTRIBUTES = """
chmod file 600; stat file -> file 600 7 links 1
chmod file 0; stat file -> file 0 7 links 1
chmod file 7777; stat file -> file 7777 7 links 1
chmod file 444; read file -> content
chmod file 755; run program -> ran
chmod program 644; stat program -> file 644 19 links 1
chmod program 644; run program -> EACCES
chmod big 600; stat big -> file 600 376000 links 1
chmod dir 700; stat dir -> dir 700
chmod dir 1777; stat dir -> dir 1777
chmod dir 2755; mkdir dir/new; stat dir/new -> dir 2755
chmod dir 700; list dir -> deep inside
chmod empty 711; stat empty -> dir 711
chmod link 600; stat file -> file 600 7 links 1
chmod link 600; lstat link -> link 777 4 links 1
chmod dirlink 700; stat dir -> dir 700
chmod fifo 600; lstat fifo -> fifo 600 links 1
chmod file 600; since file -> ctime
chmod dir 700; since dir -> ctime
chmod fifo 600; since fifo -> ctime
chmod dir/inside 600; since dir/deep -> nothing
chmod missing 600 -> ENOENT
chmod dangling 600 -> ENOENT
chmod loop 600 -> ELOOP
chmod file/x 600 -> ENOTDIR
chmod <255> 600 -> ENOENT
chmod <256> 600 -> ENAMETOOLONG
chmod file@4095 600; stat file -> file 600 7 links 1
chmod file@4096 600 -> ENAMETOOLONG
chmod file 600; write file x; stat file -> file 600 1 links 1
chmod file 600; rename file new; stat new -> file 600 7 links 1
chmod dir 700; rename dir new; stat new -> dir 700
utimens file 1000000001 2000000002; times file -> 1000000001 2000000002
utimens file 1999999999999999999 1999999999000000001; times file -> 1999999999999999999 1999999999000000001
utimens file -1 -1000000001; times file -> -1 -1000000001
utimens file 0 0; times file -> 0 0
utimens big 123456789 987654321; times big -> 123456789 987654321
utimens dir 1000000001 2000000002; times dir -> 1000000001 2000000002
utimens empty 1000000001 2000000002; times empty -> 1000000001 2000000002
utimens fifo 1000000001 2000000002; times fifo -> 1000000001 2000000002
utimens link 1000000001 2000000002; times file -> 1000000001 2000000002
utimens link 1000000001 2000000002; since link -> nothing
lutimens link 1000000001 2000000002; times link -> 1000000001 2000000002
lutimens link 1000000001 2000000002; since file -> nothing
lutimens dangling 1 2; times dangling -> 1 2
utimens file 5 6; since file -> mtime ctime
utimens file 5 6; chmod file 600; times file -> 5 6
utimens file 5 6; rename file new; times new -> 5 6
utimens file 5 6; link file new; times new -> 5 6
utimens dir 5 6; rename dir new; times new -> 5 6
utimens file 5 6; touch file; since file -> mtime ctime
utimens dir/inside 5 6; times dir/inside -> 5 6
touch file; since file -> mtime ctime
touch dir; since dir -> mtime ctime
touch missing -> ENOENT
utimens missing 1 2 -> ENOENT
utimens dangling 1 2 -> ENOENT
utimens loop 1 2 -> ELOOP
utimens file/x 1 2 -> ENOTDIR
utimens <256> 1 2 -> ENAMETOOLONG
utimens file@4096 1 2 -> ENAMETOOLONG
access file 4
access missing 0 -> no
access dangling 0 -> no
access program 1
access file 1 -> no
chmod file 600; access file 6
"""

OWNERS = """
chown file 1000 2000; owner file -> 1000:2000
chown file 1000 -1; owner file -> 1000:0
chown file -1 2000; owner file -> 0:2000
chown file 1000 2000; since file -> ctime
chown file 1000 2000; read file -> content
chown big 1000 2000; stat big -> file 644 376000 links 1
chown dir 1000 2000; owner dir -> 1000:2000
chown dir 1000 2000; owner dir/inside -> 0:0
chown dir 1000 2000; list dir -> deep inside
chown fifo 1000 2000; owner fifo -> 1000:2000
chown link 1000 2000; owner file -> 1000:2000
chown link 1000 2000; owner link -> 0:0
lchown link 1000 2000; owner link -> 1000:2000
lchown link 1000 2000; owner file -> 0:0
lchown dangling 1000 2000; owner dangling -> 1000:2000
chown missing 0 0 -> ENOENT
chown dangling 0 0 -> ENOENT
chown loop 0 0 -> ELOOP
chown file/x 0 0 -> ENOTDIR
chown <256> 0 0 -> ENAMETOOLONG
chmod file 6755; chown file 1000 1000; stat file -> file 755 7 links 1
chmod file 6644; chown file 1000 1000; stat file -> file 2644 7 links 1
chown file 1000 1000; write file x; owner file -> 1000:1000
chown file 1000 1000; rename file new; owner new -> 1000:1000
mknod new c 1:3; lstat new -> char 644 links 1
mknod new b 7:0; lstat new -> block 644 links 1
as 1000 read file -> content
as 1000 run program -> ran
chmod file 600; as 1000 read file -> EACCES
chmod file 600; chown file 1000 1000; as 1000 read file -> content
chmod file 060; chown file 2000 1000; as 1000 read file -> content
chmod file 604; chown file 2000 1000; as 1000 read file -> EACCES
as 1000 open file WRONLY -> EACCES
as 1000 open file RDWR -> EACCES
as 1000 open file RDONLY|TRUNC -> EACCES
as 1000 open big WRONLY -> EACCES
as 1000 truncate file 0 -> EACCES
as 1000 append file + -> EACCES
chmod file 666; as 1000 append file +; read file -> content+
chmod file 666; as 1000 append file +; owner file -> 0:0
chmod file 222; as 1000 open file WRONLY
chmod file 222; as 1000 open file RDONLY -> EACCES
as 1000 access file 4
as 1000 access file 2 -> no
as 1000 access program 1
chmod program 744; as 1000 run program -> EACCES
as 1000 chmod file 777 -> EPERM
as 1000 chown file 1000 -1 -> EPERM
as 1000 chown file -1 1000 -> EPERM
as 1000 utimens file 1 2 -> EPERM
as 1000 touch file -> EACCES
chmod file 666; as 1000 touch file
chmod file 666; as 1000 utimens file 1 2 -> EPERM
chown file 1000 1000; as 1000 utimens file 1 2; times file -> 1 2
chown file 1000 1000; as 1000 chmod file 600; stat file -> file 600 7 links 1
chown file 1000 1000; as 1000 chown file 1000 1000
chown file 1000 1000; as 1000 chown file 2000 1000 -> EPERM
chown file 1000 1000; as 1000 chown file 1000 2000 -> EPERM
chown file 1000 2000; as 1000 chown file -1 1000; owner file -> 1000:1000
chown file 1000 1000; chmod file 6755; as 1000 chown file 1000 1000; stat file -> file 755 7 links 1
chown file 1000 2000; as 1000 chmod file 2755; stat file -> file 755 7 links 1
chmod file 6777; as 1000 append file +; stat file -> file 777 8 links 1
chmod file 6777; as 1000 truncate file 1; stat file -> file 777 1 links 1
as 1000 mkdir dir/new -> EACCES
as 1000 create dir/new -> EACCES
as 1000 create new -> EACCES
as 1000 symlink x dir/new -> EACCES
as 1000 mkfifo dir/new -> EACCES
as 1000 unlink dir/inside -> EACCES
as 1000 rmdir empty -> EACCES
as 1000 rename dir/inside dir/new -> EACCES
as 1000 rename file dir/new -> EACCES
as 1000 mknod dir/new c 1:3 -> EACCES
chmod dir 777; as 1000 mknod dir/new c 1:3 -> EPERM
chmod dir 777; as 1000 mkdir dir/new; owner dir/new -> 1000:1000
chmod dir 777; as 1000 create dir/new; owner dir/new -> 1000:1000
chmod dir 777; as 1000 create dir/new 4755; stat dir/new -> file 4755 0 links 1
chmod dir 777; as 1000 symlink x dir/new; owner dir/new -> 1000:1000
chmod dir 777; as 1000 mkfifo dir/new; owner dir/new -> 1000:1000
chmod dir 777; as 1000 write dir/new x; read dir/new -> x
chmod dir 777; as 1000 unlink dir/inside; list dir -> deep
chmod dir 777; as 1000 rename dir/inside dir/new; owner dir/new -> 0:0
chmod dir 777; chmod goal 777; as 1000 rename dir/deep goal/new -> EACCES
chmod dir 777; as 1000 rename dir/deep dir/new; list dir -> inside new
chmod dir 2777; chown dir 0 2000; chmod dir 2777; as 1000 create dir/new; owner dir/new -> 1000:2000
chmod dir 2777; chown dir 0 2000; chmod dir 2777; as 1000 mkdir dir/new; owner dir/new -> 1000:2000
chmod dir 2777; as 1000 mkdir dir/new; stat dir/new -> dir 2755
chmod dir 1777; as 1000 unlink dir/inside -> EPERM
chmod dir 1777; as 1000 rename dir/inside dir/new -> EPERM
chmod dir 1777; as 1000 rename dir/deep dir/new -> EPERM
chmod dir 1777; as 1000 rmdir dir/deep -> EPERM
chmod dir 1777; as 1000 create dir/new; as 1000 rename dir/new dir/inside -> EPERM
chmod dir 1777; as 1000 create dir/new; as 1000 unlink dir/new
chmod dir 1777; as 1000 create dir/new; as 2000 unlink dir/new -> EPERM
chmod dir 1777; as 1000 mkdir dir/new; as 1000 rmdir dir/new
chmod dir 1777; as 1000 mkdir dir/new; as 2000 rmdir dir/new -> EPERM
chmod dir 1777; chown dir/inside 1000 1000; as 1000 unlink dir/inside; list dir -> deep
chmod dir 1777; chown dir/inside 1000 1000; as 1000 rename dir/inside dir/new; list dir -> deep new
chown dir 1000 1000; chmod dir 1755; as 1000 unlink dir/inside; list dir -> deep
chown dir 1000 1000; chmod dir 1755; as 1000 rename dir/inside dir/new; list dir -> deep new
chown dir 1000 1000; as 1000 chmod dir 700; as 2000 list dir -> EACCES
chmod dir 700; as 1000 list dir -> EACCES
chmod dir 700; as 1000 read dir/inside -> EACCES
chmod dir 700; as 1000 stat dir/inside -> EACCES
chmod dir 711; as 1000 list dir -> EACCES
chmod dir 711; as 1000 read dir/inside -> inside
chmod dir 744; as 1000 list dir -> deep inside
chmod dir 744; as 1000 read dir/inside -> EACCES
chmod dir 600; as 1000 read dirlink/inside -> EACCES
chmod dir/deep 700; as 1000 read dir/deep/er -> EACCES
as 1000 read link -> content
as 1000 readlink link -> file
"""

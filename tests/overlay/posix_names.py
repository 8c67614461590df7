"""The part of `posix_table` that is about names: links of both kinds, special files, renames."""

LINKS = """
link file new; stat new -> file 644 7 links 2
link file new; stat file -> file 644 7 links 2
link file new; same file new -> same
link file new; since file -> ctime
link file dir/new; since dir -> mtime ctime
link file dir/new; since dir/inside -> nothing
link file new; write new x; read file -> x
link file new; append file +; stat new -> file 644 8 links 2
link file new; chmod new 600; stat file -> file 600 7 links 2
link file new; truncate new 2; read file -> co
link file new; unlink file; stat new -> file 644 7 links 1
link file new; unlink file; read new -> content
link file new; unlink new; stat file -> file 644 7 links 1
link file new; link new third; stat file -> file 644 7 links 3
link file new; link new third; unlink new; stat third -> file 644 7 links 2
link file new; rename file new; stat file -> file 644 7 links 2
link file new; rename file new; stat new -> file 644 7 links 2
link file new; rename new third; same file third -> same
link file new; rename other new; stat file -> file 644 7 links 1
link file new; unlink file; create file; same file new -> other
link big new; stat big -> file 644 376000 links 2
link big new; append new +; stat big -> file 644 376001 links 2
link program new; run new -> ran
link link new; readlink new -> file
link link new; lstat link -> link 777 4 links 2
linked link new; lstat new -> file 644 7 links 2
linked dangling new -> ENOENT
link dangling new; readlink new -> nowhere
link loop new; readlink new -> loop
link fifo new; lstat new -> fifo 644 links 2
link dir new -> EPERM
link empty new -> EPERM
link dirlink new; readlink new -> dir
link file file -> EEXIST
link file other -> EEXIST
link file dir -> EEXIST
link file link -> EEXIST
link file dangling -> EEXIST
link file fifo -> EEXIST
link missing new -> ENOENT
link file missing/new -> ENOENT
link file file/new -> ENOTDIR
link file/x new -> ENOTDIR
link file other/x -> ENOTDIR
link file loop/x -> ELOOP
link loop/x new -> ELOOP
link file new/ -> ENOENT
link file <255>; same file <255> -> same
link file <256> -> ENAMETOOLONG
link <256> new -> ENAMETOOLONG
link file new@4095
link file new@4096 -> ENAMETOOLONG
symlink file new; readlink new -> file
symlink file new; lstat new -> link 777 4 links 1
symlink file new; read new -> content
symlink missing new; read new -> ENOENT
symlink dir new; list new -> deep inside
symlink x dir/new; since dir -> mtime ctime
symlink '' new -> ENOENT
symlink x file -> EEXIST
symlink x dir -> EEXIST
symlink x link -> EEXIST
symlink x dangling -> EEXIST
symlink x loop -> EEXIST
symlink x fifo -> EEXIST
symlink x '' -> ENOENT
symlink x missing/new -> ENOENT
symlink x file/new -> ENOTDIR
symlink x loop/new -> ELOOP
symlink x <255>; readlink <255> -> x
symlink x <256> -> ENAMETOOLONG
symlink <1000> new; lstat new -> link 777 1000 links 1
symlink <4096> new -> ENAMETOOLONG
symlink x new@4095
symlink x new@4096 -> ENAMETOOLONG
readlink link -> file
readlink loop -> loop
readlink file -> EINVAL
readlink dir -> EINVAL
readlink fifo -> EINVAL
readlink missing -> ENOENT
readlink file/x -> ENOTDIR
readlink loop/x -> ELOOP
readlink link/ -> ENOTDIR
lstat link -> link 777 4 links 1
stat link -> file 644 7 links 1
stat dangling -> ENOENT
stat loop -> ELOOP
unlink link; symlink other link; readlink link -> other
mkfifo new; lstat new -> fifo 644 links 1
mkfifo new 600; lstat new -> fifo 600 links 1
mkfifo dir/new; since dir -> mtime ctime
mkfifo file -> EEXIST
mkfifo dir -> EEXIST
mkfifo link -> EEXIST
mkfifo dangling -> EEXIST
mkfifo loop -> EEXIST
mkfifo fifo -> EEXIST
mkfifo missing/new -> ENOENT
mkfifo file/new -> ENOTDIR
mkfifo loop/new -> ELOOP
mkfifo <255>; lstat <255> -> fifo 644 links 1
mkfifo <256> -> ENAMETOOLONG
mkfifo new@4096 -> ENAMETOOLONG
unlink file; mkfifo file; lstat file -> fifo 644 links 1
mknod new p; lstat new -> fifo 644 links 1
mknod new s; lstat new -> socket 644 links 1
mknod new f; stat new -> file 644 0 links 1
mknod file f -> EEXIST
mknod file s -> EEXIST
mknod dir p -> EEXIST
mknod missing/new f -> ENOENT
mknod file/new p -> ENOTDIR
mknod <256> f -> ENAMETOOLONG
mknod dir/new s; since dir -> mtime ctime
"""

RENAMES = """
rename file new; read new -> content
rename file new; stat file -> ENOENT
rename file new; stat new -> file 644 7 links 1
rename file new; since dir -> nothing
rename file dir/new; since dir -> mtime ctime
rename dir/inside new; since dir -> mtime ctime
rename dir/inside dir/new; since dir -> mtime ctime
rename dir/inside goal/inside; read goal/inside -> inside
rename dir/inside goal/inside; since goal -> mtime ctime
rename dir/inside goal/new; list dir -> deep
rename dir/inside dir/deep/new; list dir/deep -> er new
rename file file; read file -> content
rename file other; read other -> content
rename file other; stat other -> file 644 7 links 1
rename file program; stat program -> file 644 7 links 1
rename big file; stat file -> file 644 376000 links 1
rename file big; read big -> content
rename file link; read link -> content
rename file link; stat file -> ENOENT
rename link new; readlink new -> file
rename link other; readlink other -> file
rename link file; lstat file -> link 777 4 links 1
rename dangling new; readlink new -> nowhere
rename file dangling; lstat dangling -> file 644 7 links 1
rename fifo new; lstat new -> fifo 644 links 1
rename fifo file; lstat file -> fifo 644 links 1
rename file fifo; read fifo -> content
rename file dir -> EISDIR
rename file empty -> EISDIR
rename link dir -> EISDIR
rename fifo dir -> EISDIR
rename dir file -> ENOTDIR
rename empty file -> ENOTDIR
rename dir link -> ENOTDIR
rename dir dirlink -> ENOTDIR
rename dir fifo -> ENOTDIR
rename dir dangling -> ENOTDIR
rename dir goal -> ENOTEMPTY
rename empty dir -> ENOTEMPTY
rename dir dir/deep -> EINVAL
rename dir dir/deep/new -> EINVAL
rename dir dir/new -> EINVAL
rename dir dir
rename dir/deep dir -> ENOTEMPTY
rename dir/inside dir -> ENOTEMPTY
rename dir empty; list empty -> deep inside
rename dir empty; stat dir -> ENOENT
rename dir new; list new -> deep inside
rename dir new; read new/deep/er -> deeper
rename dir new; mkdir dir; list dir
rename dir new; mkdir dir; write dir/inside x; read new/inside -> inside
rename dir new; write new/inside x; rename new dir; read dir/inside -> x
rename dir new; unlink new/inside; rename new dir; list dir -> deep
rename dir new; rename new dir; list dir -> deep inside
rename dir goal/new; list goal/new -> deep inside
rename dir goal/new; list goal -> inside new
rename dir goal/dir; since goal -> mtime ctime
rename dir/deep deep; list deep -> er
rename dir/deep deep; since dir -> mtime ctime
rename dir/deep goal/deep; rename goal new; read new/deep/er -> deeper
rename dir new; rename goal dir; read dir/inside -> of goal
rename dir new; rename goal dir; rename new goal; list goal -> deep inside
rename dir new; unlink new/deep/er; rmdir new/deep; unlink new/inside; rmdir new; mkdir dir; list dir
rename dir new; symlink new dir; list dir/ -> deep inside
rename dir new/; list new -> deep inside
rename dir/ new; list new -> deep inside
rename file new/ -> ENOTDIR
rename file/ new -> ENOTDIR
rename missing new -> ENOENT
rename missing file -> ENOENT
rename missing/x new -> ENOENT
rename file missing/new -> ENOENT
rename file other/new -> ENOTDIR
rename file/x new -> ENOTDIR
rename file loop/x -> ELOOP
rename loop/x new -> ELOOP
rename loop new; readlink new -> loop
rename dirlink new; list new -> deep inside
rename file dirlink/new; read dir/new -> content
rename . new -> EBUSY
rename dir/. new -> EBUSY
rename dir/.. new -> EBUSY
rename empty dir/. -> EBUSY
rename file <255>; read <255> -> content
rename file <256> -> ENAMETOOLONG
rename <256> new -> ENAMETOOLONG
rename dir <255>; list <255> -> deep inside
rename dir <256> -> ENAMETOOLONG
rename file new@4095; read new -> content
rename file new@4096 -> ENAMETOOLONG
rename file new; create file; read new -> content
rename file new; rename new file; read file -> content
rename file dir/inside; rename dir new; read new/inside -> content
rename file new; write new x; rename new file; read file -> x
rename file new; since new file -> ctime
rename link new; since new link -> ctime
write new x; rename new file; read file -> x
write new x; rename new dir/inside; read dir/inside -> x
replaced other file -> conte links 0
replaced file big -> !"#$% links 0
link file new; replaced other file -> conte links 1
"""

FLAGGED_RENAMES = """
noreplace file new; read new -> content
noreplace file other -> EEXIST
noreplace file file -> EEXIST
noreplace file dir -> EEXIST
noreplace dir file -> EEXIST
noreplace dir empty -> EEXIST
noreplace file dangling -> EEXIST
noreplace dir new; list new -> deep inside
noreplace missing new -> ENOENT
noreplace dir dir/new -> EINVAL
noreplace file <256> -> ENAMETOOLONG
exchange file other; read file -> other things
exchange file other; read other -> content
exchange file file; read file -> content
exchange file dir; list file -> deep inside
exchange file dir; read dir -> content
exchange dir goal; list goal -> deep inside
exchange dir goal; read dir/inside -> of goal
exchange dir/inside goal/inside; read dir/inside -> of goal
exchange dir/inside goal/inside; since dir -> mtime ctime
exchange dir goal; exchange dir goal; list dir -> deep inside
exchange dir empty; list empty -> deep inside
exchange dir empty; list dir
exchange dir/deep file; read dir/deep -> content
exchange dir/deep goal; read dir/deep/inside -> of goal
exchange link file; readlink file -> file
exchange fifo file; lstat file -> fifo 644 links 1
exchange big file; stat file -> file 644 376000 links 1
exchange file missing -> ENOENT
exchange missing file -> ENOENT
exchange dir dir/deep -> EINVAL
exchange dir/deep dir -> EINVAL
exchange file <256> -> ENAMETOOLONG
exchange file other; unlink file; read other -> content
exchange dir goal; unlink goal/inside; list goal -> deep
exchange dir goal; rename goal new; mkdir goal; list goal
tmpfile . new -> links 0
tmpfile dir dir/new -> links 0
tmpfile . file -> EEXIST
tmpfile file new -> ENOTDIR
"""

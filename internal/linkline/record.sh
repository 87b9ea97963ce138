#!/bin/sh
# Stands in for the linker of the target: notes what rustc would have had linked, and keeps what is gone when rustc ends.
#
# In place of the program PROGRAM it leaves the recording: the folder that rustc ran in and the arguments, each with a NUL
# behind it. A file that rustc made for the linker alone is copied to PROGRAM.link/N, where N is the number of the argument
# that names it, from 1.
set -eu

# What is too long for the system comes in a file, an argument a line with a backslash before each blank and backslash.
# `read` without -r takes those off.
left=$#
while [ "$left" -gt 0 ]; do
    argument=$1
    shift
    left=$((left - 1))
    case $argument in
    @*) while IFS= read line || [ -n "$line" ]; do set -- "$@" "$line"; done <"${argument#@}" ;;
    *) set -- "$@" "$argument" ;;
    esac
done

program= previous=
for argument; do
    case $argument in /OUT:*) program=${argument#/OUT:} ;; esac
    if [ "$previous" = -o ]; then program=$argument; fi
    previous=$argument
done
if [ -z "$program" ]; then
    echo "error: rustc names no output among the linker's arguments: $*" >&2
    exit 1
fi

kept=$program.link
rm -rf "$kept"
mkdir "$kept"
number=0
for argument; do
    number=$((number + 1))
    case $argument in
    */rustc??????/* | *.o) ;;
    *) continue ;;
    esac
    case $argument in
    /[A-Z]*:/*) file=${argument#*:} ;; # /DEF:/tmp/rustcXXXXXX/lib.def
    */*) file=/${argument#*/} ;;       # --version-script=/tmp/rustcXXXXXX/list
    *) continue ;;
    esac
    if [ -f "$file" ]; then cp "$file" "$kept/$number"; fi
done

# Beside and renamed: cargo has a hard link to what was there before.
printf '%s\0' "$PWD" "$@" >"$kept/line"
mv "$kept/line" "$program"

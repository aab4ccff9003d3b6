#!/bin/sh
# Makes sure that the Docker engine has the base image of the Dockerfile: pulls it or, where no registry is reached, makes
# it with debootstrap, which needs root. An image that the engine has already stays as it is.
set -eu

image=$(sed -n 's/^FROM \(debian:[^ ]*\) AS tfmtl$/\1/p' "$(dirname "$0")/../../Dockerfile")
suite=${image#debian:}
suite=${suite%-slim}
mirror=${MIRROR:-http://deb.debian.org/debian}

if ! docker info > /dev/null 2>&1; then
    echo "A Docker engine should run: on Debian, install docker.io and start dockerd. Received: none." >&2
    exit 1
fi
if docker image inspect "$image" > /dev/null 2>&1 || docker pull --quiet "$image" 2> /dev/null; then exit 0; fi
if ! command -v debootstrap > /dev/null; then
    echo "debootstrap should be installed, as no registry has $image. Received: no debootstrap." >&2
    exit 1
fi
echo "No registry has $image: debootstrap makes it from $mirror."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
root=$folder/root
debootstrap --variant=minbase "$suite" "$root" "$mirror" > "$folder/log" || { tail "$folder/log" >&2; exit 1; }
# Certificate authorities that this machine trusts besides Debian's; the image's package ca-certificates adds them to its own.
if [ -d /usr/local/share/ca-certificates ]; then cp -R /usr/local/share/ca-certificates "$root/usr/local/share/"; fi
rm -rf "$root/var/cache/apt/archives" "$root/var/lib/apt/lists"
tar -C "$root" -c . | docker import --change 'CMD ["bash"]' - "$image"

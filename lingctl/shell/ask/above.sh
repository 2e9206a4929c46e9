#!/bin/sh
# Sets at to the nearest folder above $1 that is there, or $1 itself. No process is started for it.
nearest() { # path
  at=$1
  while [ ! -e "$at" ]; do
    case $at in
      /*/*) at=${at%/*} ;;
      /*) at=/ && return ;;
      */*) at=${at%/*} ;;
      *) at=. && return ;;
    esac
  done
}

"""Catalogue of the models of this package: adds their descriptions to the registry."""

from tfmtl.models.options import (
    adaftr,
    aitm,
    apem,
    autoheri,
    cgc,
    cross_stitch,
    escm2_dr,
    escm2_ips,
    esmm,
    m2m,
    man,
    mmoe,
    mran,
    omoe,
    ple,
    shared_bottom,
    single_task,
)
from tfmtl.models.registry import MODELS

_INFOS = (
    adaftr.INFO,
    aitm.INFO,
    apem.INFO,
    autoheri.INFO,
    cgc.INFO,
    cross_stitch.INFO,
    escm2_dr.INFO,
    escm2_ips.INFO,
    esmm.INFO,
    m2m.INFO,
    man.INFO,
    mmoe.INFO,
    mran.INFO,
    omoe.INFO,
    ple.INFO,
    shared_bottom.INFO,
    single_task.INFO,
)

for _info in _INFOS:
    MODELS.describe(_info)

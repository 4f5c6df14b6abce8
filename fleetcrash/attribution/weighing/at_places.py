"""Places: updates that strike at one group, site, customer or region alone.

No update is weighed by where hosts stand, so that what began at one place explains more than it, and than it one that
went to that place only. There the hosts that have it and those that lack it have to say which it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fleetcrash.arrays import Floats
from fleetcrash.attribution.hypotheses.witnesses import enough
from fleetcrash.attribution.weighing.asked import Hosts, of_most, told_alone
from fleetcrash.attribution.weighing.posterior import Odds, near_best, of_leader
from fleetcrash.attribution.weighing.rivalry import LOG_MARGIN, TOLD_SHARE, Rivalry


def of_place(rivalry: Rivalry, wave: tuple[int, int], leader: int, log_updates: Floats, hosts: Hosts) -> Odds | None:
    """The odds, where the leading update strikes at one place alone, and the hosts there that lack it are spared.

    A group may run the one program that a policy breaks. No update is weighed by groups, sites or customers, so that
    what began there explains more than it, unless it is asked whom it struck there. What these hosts say is weighed
    then, of each update that is hardly told from the leader.

    Args:
        wave: the foremost.
    Returns:
        None where the wave is none of a place, or of long after the pushes of the update; or where the hosts there say
        too little, or more for another one.
    """
    beginning, updates = rivalry.waves.beginning(wave), rivalry.trial.updates
    if not rivalry.stands_there[beginning.spot]:
        return None
    if not rivalry.may_follow(leader, wave) or not rivalry.is_its_own(leader):
        return None
    said = {row: hosts.at_place(int(updates[row]), beginning) for row in near_best(log_updates).tolist()}
    is_kept = int(updates[leader]) == rivalry.named_before
    if said[leader] < (LOG_MARGIN if is_kept else enough(int(rivalry.waves.struck(wave)))):
        return None
    told = log_updates.copy()
    for row, most in said.items():
        told[row] += most
    return of_leader(rivalry, leader, told, is_told=True) if int(np.argmax(told)) == leader else None


def told_at_place(rivalry: Rivalry, leader: int, log_updates: Floats, hosts: Hosts) -> Odds | None:
    """The odds, where another update than the leading one strikes, at a place that the leading one went to alone.

    A customer's policy of this hour has no hosts elsewhere that would be spared, and fits whatever strikes the
    customer. But what began there explains more than it, and where another update went out just before, the hosts there
    that got that one are struck and the others spared, whether they have the policy or not.

    Returns:
        None where the foremost wave is none of a place, or explains no more than the leading update; or where the hosts
        there do not say more for any other one. Where they say too little for a name, the leading one lacks contrast.
    """
    wave, updates = rivalry.foremost, rivalry.trial.updates
    if rivalry.contrast is None or wave is None:
        return None
    beginning = rivalry.waves.beginning(wave)
    if not rivalry.stands_there[beginning.spot]:
        return None
    if float(rivalry.of_waves[wave]) < float(rivalry.trial.log_evidence[leader]) + LOG_MARGIN:
        return None
    asked = of_most(rivalry, wave, TOLD_SHARE)
    others = [row for row in asked if row != leader and rivalry.may_follow(row, wave, TOLD_SHARE)]
    if not others:
        return None
    said = {row: hosts.at_place(int(updates[row]), beginning) for row in (leader, *others)}
    if max(said[row] for row in others) < said[leader] + LOG_MARGIN:
        return None
    told = told_alone(rivalry, log_updates, said, lambda row: enough(asked[row]))
    if told is None or not rivalry.is_its_own(told[0]):
        return replace(of_leader(rivalry, leader, log_updates), lacks_contrast=True)
    return of_leader(rivalry, *told, is_told=True, share=TOLD_SHARE)

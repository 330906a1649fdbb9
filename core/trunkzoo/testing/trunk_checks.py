"""The conformance checks of vision trunks."""

from __future__ import annotations

from typing import Any

from trunkzoo.plugin.records import TrunkSpec
from trunkzoo.testing import trunk_forms as forms
from trunkzoo.testing import trunk_numbers as numbers
from trunkzoo.testing.check import Check
from trunkzoo.testing.described import config_rejects_unknown_keys, config_round_trips, describes_without_torch

TRUNK_CHECKS: tuple[Check[TrunkSpec[Any]], ...] = (
    Check(describes_without_torch, builds=False),
    Check(config_rejects_unknown_keys, builds=False),
    Check(config_round_trips, builds=False),
    Check(forms.builds_on_meta),
    Check(forms.satisfies_vision_trunk),
    Check(forms.declared_shapes),
    Check(forms.any_batch_size),
    Check(numbers.finite),
    Check(numbers.every_parameter_learns),
    Check(numbers.eval_is_deterministic),
    Check(numbers.rows_independent),
    Check(numbers.input_untouched),
    Check(numbers.channels_last),
    Check(numbers.bfloat16),
    Check(forms.same_seed_same_weights),
    Check(forms.state_dict_round_trip),
    Check(forms.copies),
    Check(forms.works_in_the_agent),
    Check(numbers.compiles, slow=True),
    Check(numbers.exports, slow=True),
)

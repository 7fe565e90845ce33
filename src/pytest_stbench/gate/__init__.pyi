from .intervals import (
    Reported as Reported,
    bound_for as bound_for,
    interval_for as interval_for,
    intervals_for as intervals_for,
)
from .limits import (
    at_least as at_least,
    at_most as at_most,
    lower_at_least as lower_at_least,
    worst_at_least as worst_at_least,
)
from .margins import Floor as Floor, margin_floor as margin_floor
from .plan import PlannedGate as PlannedGate, plan_gates as plan_gates
from .rules import (
    beats as beats,
    not_worse_than as not_worse_than,
    patient_difference_at_least as patient_difference_at_least,
)
from .ruleset import Rules as Rules, required_references as required_references, rules_for as rules_for
from .standing import Stand as Stand, stand as stand
from .verdict import aggregate as aggregate, apply_rules as apply_rules, judge as judge
from .within_slide import judge_within as judge_within

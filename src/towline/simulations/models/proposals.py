"""What a language model may answer when it is asked for a plan: types and sizes, nothing of it believed."""

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", str_max_length=500, allow_inf_nan=False)


class ProposedValue(_Strict):
    """A value of one parameter."""

    parameter: str = Field(max_length=64, description="name of the parameter, from the list")
    value: bool | float | str = Field(description="in the unit below, as the sentence says it")
    unit: str = Field("", max_length=24, description="the unit that the sentence uses; empty if there is none")
    quote: str = Field(min_length=1, description="the words of the sentence that say it, letter by letter")


class ProposedSweep(_Strict):
    """Several values of one parameter."""

    parameter: str = Field(max_length=64, description="name of the parameter, from the list")
    values: list[float] = Field(min_length=2, max_length=1000, description="every value, in the unit below")
    unit: str = Field("", max_length=24)
    quote: str = Field(min_length=1, description="the words of the sentence that say it, letter by letter")


class ProposedPlan(_Strict):
    """What a sentence asks for."""

    physics: str = Field(max_length=64, description="name of the physics, from the list")
    material: str = Field("", max_length=64, description="a material from the list; empty if none is named")
    material_quote: str = Field("", description="the words that name the material")
    values: list[ProposedValue] = Field(default_factory=list, max_length=100)
    sweep: list[ProposedSweep] = Field(default_factory=list, max_length=10)
    random_starts: int | None = Field(None, ge=1, le=1000, description="how many seeds each case has, if that is said")
    random_starts_quote: str = ""
    not_understood: list[str] = Field(
        default_factory=list, max_length=50, description="parts of the sentence that have no place above"
    )

using Vfio.Tool.Config;

namespace Vfio.Tool.Commands;

/// <summary>
/// A function as <c>vfio show --json</c> has it. Hot reset: every function that a reset of its slot or bus takes with it.
/// </summary>
internal sealed record ShownFunction(
    string Address,
    string Kind,
    string? Parent,
    FunctionIds Ids,
    string? Model,
    string Driver,
    string? Degraded,
    string Profile,
    IReadOnlyList<DecodedRegister> Header,
    IReadOnlyList<DecodedCapability> Capabilities,
    IReadOnlyList<ShownRegion> Regions,
    IReadOnlyList<ShownIrq> Irqs,
    IReadOnlyList<string> HotReset,
    IReadOnlyList<string> Features,
    IReadOnlyList<string> Migration,
    IReadOnlyList<KeyValuePair<string, string>> Description,
    string? Hex);

/// <summary>A region of an open device.</summary>
internal sealed record ShownRegion(
    int Index, string Name, ulong Size, string Flags, string? Kind, string? Base, IReadOnlyList<RegionArea>? MappableAreas);

/// <summary>An IRQ index of an open device.</summary>
internal sealed record ShownIrq(string Name, uint Count, string Flags);

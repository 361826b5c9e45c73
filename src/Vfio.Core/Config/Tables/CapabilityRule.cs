namespace Vfio.Core.Config;

/// <summary>Computes something of a capability from the hardware's own registers.</summary>
internal delegate T FromHardware<out T>(IPciFunction function, int start);

/// <summary>
/// One row of a capability table: how long a capability is, what of it is virtual, what may be written, and what a write sets off.
/// </summary>
internal sealed record CapabilityRule(byte Id, string Name)
{
    /// <summary>Bytes that the capability takes; 0 hides it: it is unlinked, and its bytes are as unassigned ones are.</summary>
    public required FromHardware<int> Length { get; init; }

    /// <summary>How many of the capability's first bytes its length is computed from.</summary>
    public int LengthReach { get; init; } = 4;

    /// <summary>The registers that differ from "shown as the hardware has it, not writable".</summary>
    public FromHardware<IReadOnlyList<RegisterRule>> Registers { get; init; } = static (_, _) => [];

    /// <summary>Whether writes go to the hardware as they come.</summary>
    public bool RawWrites { get; init; }

    /// <summary>
    /// The registers that a reset of the function loses and the core restores, in the order of restoring: offset and width.
    /// </summary>
    public FromHardware<IReadOnlyList<(int Offset, int Width)>> Saved { get; init; } = static (_, _) => [];

    /// <summary>What reacts to writes; null for nothing.</summary>
    public Func<TrapContext, ConfigBlock, ConfigTrap>? Trap { get; init; }

    public static FromHardware<int> Fixed(int length) => (_, _) => length;

    public static FromHardware<IReadOnlyList<RegisterRule>> Rules(params RegisterRule[] rules) => (_, _) => rules;

    public static FromHardware<IReadOnlyList<(int Offset, int Width)>> Registers16(params int[] offsets)
    {
        var saved = Array.ConvertAll(offsets, o => (o, 2));
        return (_, _) => saved;
    }

    public static FromHardware<IReadOnlyList<(int Offset, int Width)>> Registers32(params int[] offsets)
    {
        var saved = Array.ConvertAll(offsets, o => (o, 4));
        return (_, _) => saved;
    }
}

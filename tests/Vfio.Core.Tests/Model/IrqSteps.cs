using FsCheck;
using FsCheck.Fluent;

namespace Vfio.Core.Tests.Model;

/// <summary>Random sequences of <see cref="IrqStep"/>, and shorter ones.</summary>
internal static class IrqSteps
{
    public const int EventFdCount = 4;

    /// <summary>The eventfd that unmasks and is no trigger: one that is both would go on for ever, as in the kernel.</summary>
    private const Descriptor Unmasks = Descriptor.First + EventFdCount - 1;

    public static Arbitrary<IrqStep[]> All { get; } = Arb.From(
        Gen.Choose(int.MinValue, int.MaxValue).Select(seed =>
        {
            var random = new Random(seed);
            return Enumerable.Range(0, random.Next(1, 50)).Select(_ => Next(random)).ToArray();
        }),
        Shorter);

    private static IEnumerable<IrqStep[]> Shorter(IrqStep[] steps)
    {
        for (var count = steps.Length / 2; count > 0; count /= 2)
        {
            for (var start = steps.Length - count; start >= 0; start -= count)
                yield return [.. steps[..start], .. steps[(start + count)..]];
        }
    }

    private static IrqStep Next(Random random) => random.Next(24) switch
    {
        0 or 1 => new FireStep(random.Next(5)),
        2 or 3 => new LineStep(random.Next(2) == 0),
        4 => new DisableStep(random.Next(2) == 0),
        5 => new SignalUnmaskStep(),
        6 => new ObtainableStep(random.Next(3) == 0 ? random.Next(5) : int.MaxValue),
        7 => new ReleaseStep(),
        8 => new ResetStep(),
        9 when random.Next(3) == 0 => new ReopenStep(),
        10 or 11 or 12 or 13 => Meant(random),
        _ => Any(random),
    };

    /// <summary>What a client does that knows what it wants.</summary>
    private static SetStep Meant(Random random)
    {
        const uint Trigger = (uint)(IrqSetFlags.ActionTrigger | IrqSetFlags.DataEventFd);
        const uint Unmask = (uint)(IrqSetFlags.ActionUnmask | IrqSetFlags.DataEventFd);
        const uint Disable = (uint)(IrqSetFlags.ActionTrigger | IrqSetFlags.DataNone);
        var index = (uint)random.Next(5);
        var count = index is 1 or 2 ? (uint)random.Next(1, 5) : 1;
        var flags = index == 0 && random.Next(3) == 0 ? Unmask : random.Next(4) == 0 ? Disable : Trigger;
        if (flags == Disable)
            count = 0;
        var descriptors = Enumerable.Range(0, (int)count).Select(_ => random.Next(8) == 0 ? Descriptor.None : Good(random, flags));
        return new(index, flags, 0, count, [.. descriptors], [], random.Next(4) == 0);
    }

    private static SetStep Any(Random random)
    {
        uint[] data = [1, 1, 2, 4, 4, 4, 0, 6], action = [8, 0x10, 0x20, 0x20, 0x20, 0x20, 0, 0x30];
        uint[] edges = [uint.MaxValue, uint.MaxValue - 1, 5, 0x8000_0000];
        var start = random.Next(3) == 0 ? (uint)random.Next(5) : 0;
        var count = (uint)random.Next(random.Next(2) == 0 ? 2 : 6);
        if (random.Next(20) == 0)
            start = edges[random.Next(edges.Length)];
        if (random.Next(20) == 0)
            count = edges[random.Next(edges.Length)];
        var given = random.Next(8) == 0 ? random.Next(5) : (int)Math.Min(count, 5);
        var flags = data[random.Next(data.Length)] | action[random.Next(action.Length)] | (random.Next(30) == 0 ? 0x40u : 0);
        return new(
            (uint)random.Next(6),
            flags,
            start,
            count,
            [.. Enumerable.Range(0, given).Select(_ => random.Next(3) == 0 ? (Descriptor)random.Next(3) : Good(random, flags))],
            [.. Enumerable.Range(0, given).Select(_ => (byte)random.Next(2))],
            random.Next(4) == 0);
    }

    private static Descriptor Good(Random random, uint flags)
        => (flags & (uint)IrqSetFlags.ActionUnmask) != 0 ? Unmasks : Descriptor.First + random.Next(EventFdCount - 1);
}

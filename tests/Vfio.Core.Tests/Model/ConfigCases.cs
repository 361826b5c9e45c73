namespace Vfio.Core.Tests.Model;

/// <summary>Random functions, random things done to them, and smaller ones that may fail the same way.</summary>
internal static class ConfigCases
{
    private static readonly int[] CommonIds = [0x01, 0x03, 0x05, 0x09, 0x09, 0x10, 0x10, 0x11, 0x13];
    private static readonly int[] CommonExtendedIds = [0x01, 0x03, 0x04, 0x0B, 0x0B, 0x0D, 0x0F, 0x10, 0x17, 0x1E, 0x23];

    public static ConfigCase Random(int seed)
    {
        var random = new Random(seed);
        var size = random.Next(4) == 0 ? 256 : 4096;
        var isHostile = random.Next(6) == 0;
        int Id() => random.Next(3) != 0 ? Pick(random, CommonIds) : random.Next(0, 0x18);
        int ExtendedId() => random.Next(3) != 0 ? Pick(random, CommonExtendedIds) : random.Next(1, 0x36);
        var standard = Chain(random, 0x40, 0x100, random.Next(8), isHostile, Id);
        var extended = size == 256 || random.Next(8) == 0
            ? []
            : Chain(random, 0x100, 0x1000, random.Next(1, 9), isHostile, ExtendedId);
        if (extended.Length > 0 && !Array.Exists(extended, capability => capability.At == 0x100))
            extended[0] = extended[0] with { At = 0x100 };
        extended = [.. extended.OrderBy(capability => capability.At != 0x100)];
        return new()
        {
            Size = size,
            IsVf = random.Next(4) == 0,
            Fill = random.Next(8) == 0 ? 0 : random.Next(1, int.MaxValue),
            HasIntxDisable = random.Next(4) != 0,
            Bars = Bars(random),
            Standard = standard,
            Extended = extended,
            Steps = [.. Enumerable.Range(0, random.Next(1, 40)).Select(_ => Step(random, size, standard, extended))],
        };
    }

    public static IEnumerable<ConfigCase> Shrink(ConfigCase value)
    {
        foreach (var steps in Fewer(value.Steps))
            yield return value with { Steps = steps };
        foreach (var standard in Fewer(value.Standard))
            yield return value with { Standard = standard };
        foreach (var extended in Fewer(value.Extended))
        {
            if (extended.Length == 0 || extended[0].At == 0x100)
                yield return value with { Extended = extended };
        }

        if (value.Fill != 0)
            yield return value with { Fill = 0 };
        if (value.IsVf)
            yield return value with { IsVf = false };
        if (value.Bars.Any(bar => bar is not null))
            yield return value with { Bars = new BarKind?[7] };
        for (var i = 0; i < value.Steps.Length; i++)
        {
            ModelStep? smaller = value.Steps[i] switch
            {
                ReadStep { Width: > 1 } read => read with { Width = read.Width / 2 },
                WriteStep { Data.Length: > 1 } write => write with { Data = write.Data[..(write.Data.Length / 2)] },
                _ => null,
            };
            if (smaller is not null)
                yield return value with { Steps = [.. value.Steps[..i], smaller, .. value.Steps[(i + 1)..]] };
        }
    }

    private static IEnumerable<T[]> Fewer<T>(T[] items)
    {
        for (var count = items.Length / 2; count > 0; count /= 2)
        {
            for (var start = items.Length - count; start >= 0; start -= count)
                yield return [.. items[..start], .. items[(start + count)..]];
        }
    }

    private static T Pick<T>(Random random, T[] of) => of[random.Next(of.Length)];

    private static BarKind?[] Bars(Random random)
    {
        var bars = new BarKind?[7];
        for (var i = 0; i < 6; i++)
        {
            bars[i] = random.Next(4) switch { 0 => BarKind.Memory32, 1 when i < 5 => BarKind.Memory64, 2 => BarKind.Io, _ => null };
            if (bars[i] == BarKind.Memory64)
                i++;
        }

        bars[6] = random.Next(2) == 0 ? BarKind.Memory32 : null;
        return bars;
    }

    private static CapabilitySpec[] Chain(Random random, int from, int to, int count, bool isHostile, Func<int> pickId)
    {
        var end = from;
        var isTaken = new bool[to];
        var chain = new List<CapabilitySpec>();
        for (var i = 0; i < count; i++)
        {
            var id = pickId();
            // No function has two of what the PCI core looks for once.
            if (from == 0x40 && id is 0x01 or 0x03 or 0x05 or 0x07 or 0x10 && chain.Exists(other => other.Id == id))
                continue;
            var body = Body(random, from != 0x40, id);
            var length = Length(from != 0x40, id, body);
            var at = random.Next(2) == 0 ? end : from + (4 * random.Next((to - from) / 4));
            if (from == 0x100 && i == 0)
                at = from;
            if (at + length > to)
                continue;
            if (!isHostile && isTaken.AsSpan(at, length).Contains(true))
                continue;
            isTaken.AsSpan(at, length).Fill(true);
            int? next = isHostile && random.Next(8) == 0 ? from + (4 * random.Next(Math.Min(48, (to - from) / 4))) : null;
            chain.Add(new CapabilitySpec(id, at, body, next));
            end = (at + length + 3) & ~3;
        }

        var order = chain.ToArray();
        random.Shuffle(order);
        return order;
    }

    private static int Length(bool isExtended, int id, byte[] body)
    {
        uint Read8(int at) => at < 4 ? (uint)(isExtended || at < 2 ? 0 : body[at - 2]) : body[at - (isExtended ? 4 : 2)];
        uint Read32(int at) => Read8(at) | (Read8(at + 1) << 8) | (Read8(at + 2) << 16) | (Read8(at + 3) << 24);
        return Math.Max(4, isExtended ? ReferenceLengths.Extended(Read32, id, 0) : ReferenceLengths.Standard(Read8, id, 0));
    }

    /// <summary>What follows the header: 2 bytes of a standard capability, 4 of an extended one.</summary>
    private static byte[] Body(Random random, bool isExtended, int id)
    {
        var body = new byte[isExtended ? 0x80 : 0x40];
        random.NextBytes(body);
        switch (isExtended, id)
        {
            case (false, 0x01):
                body[0] = (byte)((body[0] & 0xF8) | 3);
                body[2] = (byte)((body[2] & 0x0C) | 8);
                break;
            case (false, 0x05):
                body[0] &= 0x8E;
                body[1] &= 1;
                break;
            case (false, 0x09):
                body[0] = (byte)random.Next(40);
                break;
            case (false, 0x10):
                (body[0], body[1]) = ((byte)((random.Next(4) == 0 ? 0x90 : 0) | random.Next(1, 3)), 0);
                body[7] &= 0x7F;
                break;
            case (true, 0x0B or 0x23):
                (body[2], body[3]) = ((byte)(body[2] & 0x0F), 0);
                body[2] |= (byte)(random.Next(4) << 6);
                body[3] = (byte)random.Next(5);
                break;
            case (true, 0x17):
                (body[2], body[3]) = ((byte)random.Next(32), (byte)(body[3] & 0xF8));
                break;
            default:
                break;
        }

        return body;
    }

    private static ModelStep Step(Random random, int size, CapabilitySpec[] standard, CapabilitySpec[] extended)
    {
        switch (random.Next(40))
        {
            case 0:
                return new BackdoorStep();
            case 1:
                return new MsiStep(random.Next(9));
            default:
                break;
        }

        var chain = random.Next(3) == 0 && extended.Length > 0 ? extended : standard;
        var offset = random.Next(6) switch
        {
            0 => random.Next(0x40),
            1 => random.Next(size),
            _ when chain.Length == 0 => 4,
            _ => Pick(random, chain).At + random.Next(random.Next(2) == 0 ? 6 : 0x34),
        };
        if (random.Next(12) == 0)
            offset = random.Next(4, 6);
        if (random.Next(60) == 0)
            offset = size - random.Next(-4, 8);
        var width = random.Next(4) switch { 0 => 1, 1 => 2, 2 => 4, _ => random.Next(1, 65) };
        if (random.Next(2) == 0)
            return new ReadStep(offset, width);
        var data = new byte[width];
        switch (random.Next(4))
        {
            case 0:
                data.AsSpan().Fill(0xFF);
                break;
            case 1:
                data[random.Next(width)] = (byte)(1 << random.Next(8));
                break;
            default:
                random.NextBytes(data);
                break;
        }

        return new WriteStep(offset, data);
    }
}

using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Model;

/// <summary>The function that a <see cref="ConfigCase"/> describes.</summary>
internal static class ModelHardware
{
    public static ModelFunction Build(ConfigCase from)
    {
        var function = new ModelFunction(from.Size)
        {
            VirtualFunctionIndex = from.IsVf ? 0 : -1,
            Bars = [.. from.Bars.Select(Bar)],
            VpdStore = Vpd(from.Fill),
        };
        FillRegisters(function, from.Fill);
        SetHeader(function, from);
        SetChain(function, from.Standard, isExtended: false);
        SetChain(function, from.Extended, isExtended: true);
        if (from.Size == 4096 && from.Extended.Length == 0)
            function.Registers.AsSpan(0x100, 4).Clear();
        Protect(function);
        // What a capability is no hardware changes, wherever a pointer has led to it.
        foreach (var capability in ReferenceMap.Of(function).Blocks)
            Freeze(function, capability.Start, 1);
        function.Lines.Msi = 128;
        return function;
    }

    private static ScriptedBar? Bar(BarKind? kind, int index) => kind switch
    {
        null => null,
        BarKind.Io => new ScriptedBar(8 << index, BarKind.Io),
        { } memory => new ScriptedBar(0x800 << index, memory) { Prefetchable = index % 2 == 1 },
    };

    private static void FillRegisters(ModelFunction function, int fill)
    {
        if (fill == 0)
        {
            function.Writable.AsSpan().Fill(0xFF);
            return;
        }

        var random = new Random(fill);
        random.NextBytes(function.Registers);
        for (var at = 0; at < function.ConfigSize; at++)
        {
            function.Writable[at] = random.Next(4) switch { 0 => 0, 1 => (byte)random.Next(256), _ => 0xFF };
            if (random.Next(8) != 0)
                continue;
            function.ClearedByOne[at] = (byte)random.Next(256);
            function.Writable[at] &= (byte)~function.ClearedByOne[at];
        }
    }

    private static void SetHeader(ModelFunction function, ConfigCase from)
    {
        var identity = from.IsVf ? [0xFF, 0xFF, 0xFF, 0xFF] : new byte[] { 0x34, 0x12, 0xE8, 0x11 };
        Fix(function, 0x00, identity);
        Fix(function, 0x04, 0x03, 0x00);
        (function.Writable[4], function.Writable[5]) = (0x47, (byte)(from.HasIntxDisable ? 5 : 1));
        Fix(function, 0x06, (byte)(from.Standard.Length > 0 ? 0x10 : 0x00));
        function.Writable[7] = 0;
        function.ClearedByOne[7] = 0xF9;
        Fix(function, 0x08, 1, 0, 0, 0xFF);
        Fix(function, 0x0E, 0);
        Fix(function, 0x34, (byte)(from.Standard.Length > 0 ? from.Standard[0].At : 0));
        Fix(function, 0x3D, 1);
        foreach (var at in Enumerable.Range(0x10, 24).Concat(Enumerable.Range(0x30, 4)))
            (function.Writable[at], function.ClearedByOne[at]) = (0xFF, 0);
    }

    private static void SetChain(ModelFunction function, CapabilitySpec[] chain, bool isExtended)
    {
        for (var i = 0; i < chain.Length; i++)
        {
            var (id, at, body, elsewhere) = chain[i];
            var next = elsewhere ?? (i + 1 < chain.Length ? chain[i + 1].At : 0);
            byte[] header = isExtended ? [(byte)id, 0, (byte)(0x01 | (next << 4)), (byte)(next >> 4)] : [(byte)id, (byte)next];
            header.CopyTo(function.Registers, at);
            var limit = (isExtended ? function.ConfigSize : 0x100) - at;
            var scratch = new byte[function.ConfigSize + body.Length];
            header.CopyTo(scratch, 0);
            body.CopyTo(scratch, header.Length);
            uint Read8(int offset) => scratch[offset];
            uint Read32(int offset) => BitConverter.ToUInt32(scratch, offset);
            var length = isExtended ? ReferenceLengths.Extended(Read32, id, 0) : ReferenceLengths.Standard(Read8, id, 0);
            length = Math.Min(Math.Min(Math.Max(length, header.Length), limit), header.Length + body.Length);
            scratch.AsSpan(0, length).CopyTo(function.Registers.AsSpan(at));
            (function.Writable[at], function.ClearedByOne[at]) = (0, 0);
            if (isExtended)
                (function.Writable[at + 1], function.ClearedByOne[at + 1]) = (0, 0);
        }
    }

    /// <summary>Bits that some device could have as it likes, but that none has writable, or all have.</summary>
    private static void Protect(ModelFunction function)
    {
        if (StandardChain.Find(function, 0x01) is > 0 and var power)
        {
            Freeze(function, power + 2, 2);
            Change(function, power + 4, 0x03);
            Change(function, power + 5, 0x1F, clearedByOne: 0x80);
        }

        if (StandardChain.Find(function, 0x05) is > 0 and var msi)
        {
            Change(function, msi + 2, 0x71);
            Freeze(function, msi + 3, 1);
        }

        if (StandardChain.Find(function, 0x10) is > 0 and var express)
        {
            Freeze(function, express + 2, 6);
            Change(function, express + 8, 0xFF);
            Change(function, express + 9, 0x7F);
        }

        if (StandardChain.Find(function, 0x03) is > 0 and <= 0xF8 and var vpd)
        {
            function.VpdAt = vpd;
            function.Writable.AsSpan(vpd + 2, 6).Fill(0xFF);
            function.ClearedByOne.AsSpan(vpd + 2, 6).Clear();
        }
    }

    private static void Freeze(ModelFunction function, int at, int count)
    {
        for (var i = 0; i < count; i++)
            Change(function, at + i, 0);
    }

    // A pointer may lead to a capability that the space ends in.
    private static void Change(ModelFunction function, int at, byte writable, byte clearedByOne = 0)
    {
        if (at < function.ConfigSize)
            (function.Writable[at], function.ClearedByOne[at]) = (writable, clearedByOne);
    }

    private static void Fix(ModelFunction function, int at, params byte[] values)
    {
        values.CopyTo(function.Registers, at);
        Freeze(function, at, values.Length);
    }

    /// <summary>An identifier string, read-only data, the end tag, and what lies behind it.</summary>
    private static byte[] Vpd(int fill)
    {
        var store = new byte[0x8000];
        new Random(fill).NextBytes(store);
        if (fill % 5 == 0)
            return store;
        var text = 1 + (fill & 0xFF);
        (store[0], store[1], store[2]) = (0x82, (byte)text, 0);
        (store[3 + text], store[4 + text], store[5 + text]) = (0x90, 8, 0);
        store[14 + text] = 0x78;
        return store;
    }
}

using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Interrupts;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Recorded;

/// <summary>
/// What the vfio-pci of Linux 6.12 answered for three functions, against what the core answers over the same configuration space.
/// </summary>
public sealed class RecordedAnswerTests
{
    private static readonly JsonElement[] Rows =
        [.. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Recorded", "linux-6.12.jsonl")).Select(l => JsonDocument.Parse(l).RootElement)];

    // Region index, size and kind of each BAR: the recorder's region_info rows.
    private static readonly Dictionary<string, (int Index, int Size, BarKind Kind, bool Prefetchable)[]> Bars = new()
    {
        ["8086:10d3"] =
        [
            (0, 131072, BarKind.Memory32, false), (1, 131072, BarKind.Memory32, false), (2, 32, BarKind.Io, false),
            (3, 16384, BarKind.Memory32, false), (6, 262144, BarKind.Memory32, false),
        ],
        ["1b36:0010-vf"] = [(0, 16384, BarKind.Memory64, false)],
        ["1af4:1041"] = [(1, 4096, BarKind.Memory32, false), (4, 16384, BarKind.Memory64, true), (6, 262144, BarKind.Memory32, false)],
    };

    public static TheoryData<string> Devices => [.. Bars.Keys];

    [Theory]
    [MemberData(nameof(Devices))]
    public async Task Virtual_configuration_space(string device)
    {
        var config = Of(device, "config").Single();
        await using var open = await OpenDevice.Open(Function(device));
        var read = new byte[config.GetProperty("size").GetInt32()];

        Assert.Equal(read.Length, open.Read(RegionIndex.Config, 0, read).Value);
        Assert.Equal(Convert.ToHexString(Padded(config, "virtual")), Convert.ToHexString(read));
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public async Task Writes_of_ones_to_the_header(string device)
    {
        foreach (var row in Of(device, "config_write"))
        {
            var function = Function(device);
            await using var open = await OpenDevice.Open(function);
            var offset = row.GetProperty("offset").GetInt32();
            open.WriteConfig(offset, 4, row.GetProperty("value").GetUInt32());

            Assert.Equal($"{offset:x} after {row.GetProperty("after").GetString()} hardware {row.GetProperty("hardware").GetString()}",
                $"{offset:x} after {Hex(open.ReadConfig(offset))} hardware {Hex(function.Hardware32(offset))}");
        }
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public async Task Irq_indexes(string device)
    {
        await using var open = await OpenDevice.Open(Function(device));
        foreach (var row in Of(device, "irq_info"))
        {
            var info = open.GetIrqInfo(row.GetProperty("index").GetInt32());
            Assert.Equal(row.GetProperty("errno").GetInt32(), -(int)info.Error);
            Assert.Equal(new IrqInfo((IrqFlags)row.GetProperty("flags").GetUInt32(), row.GetProperty("count").GetUInt32()), info.Value);
        }
    }

    [Fact]
    public async Task The_matrix_of_set_irqs()
    {
        var rows = Of("8086:10d3", "set_irqs");
        Assert.NotEmpty(rows);
        foreach (var row in rows)
        {
            await using var open = await OpenDevice.Open(Function("8086:10d3"));
            var flags = (IrqSetFlags)row.GetProperty("flags").GetUInt32();
            var count = row.GetProperty("count").GetInt32();
            SafeFileHandle?[] eventFds = flags.HasFlag(IrqSetFlags.DataEventFd) ? [.. Enumerable.Range(0, count).Select(_ => EventFd.Create())] : [];
            var result = open.SetIrqs(new()
            {
                Index = row.GetProperty("index").GetUInt32(), Flags = flags, Start = row.GetProperty("start").GetUInt32(), Count = (uint)count,
                EventFds = eventFds, Bools = flags.HasFlag(IrqSetFlags.DataBool) ? [.. Enumerable.Repeat((byte)1, count)] : [],
            });
            Assert.Equal($"{row} {row.GetProperty("errno").GetInt32()}", $"{row} {(result.IsSuccess ? result.Value : -(int)result.Error)}");
        }
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public async Task The_script_of_each_irq_index(string device)
    {
        foreach (var row in Of(device, "irq_script"))
        {
            await using var open = await OpenDevice.Open(Function(device));
            var index = (IrqIndex)row.GetProperty("index").GetInt32();
            int[] expected = [.. row.GetProperty("results").EnumerateArray().Select(r => r.GetInt32())];
            Assert.Equal($"{index}: {string.Join(' ', expected)}", $"{index}: {string.Join(' ', Script(open, index))}");
        }
    }

    private static IEnumerable<int> Script(OpenDevice device, IrqIndex index)
    {
        using var client = EventFd.Create();
        var bad = EventFd.Create();
        bad.Dispose();
        var other = index == IrqIndex.Msi ? IrqIndex.Msix : IrqIndex.Msi;
        yield return device.Trigger(index, 0, bad);
        yield return device.Trigger(index, 0, Requests.Duplicate(client));
        yield return device.None(index, IrqSetFlags.ActionTrigger);
        yield return Taken();
        yield return device.Bool(index, IrqSetFlags.ActionTrigger, 1);
        yield return Taken();
        yield return device.None(index, IrqSetFlags.ActionMask);
        yield return device.None(index, IrqSetFlags.ActionUnmask);
        yield return device.Unmask(index, EventFd.Create());
        yield return device.Trigger(other, 0, EventFd.Create());
        yield return device.Trigger(index, 0, [null]);
        yield return device.None(index, IrqSetFlags.ActionTrigger);
        yield return device.Disable(index);
        yield return device.Disable(index);
        yield return device.Trigger(index, 1, EventFd.Create(), EventFd.Create());
        yield return device.Disable(index);

        int Taken() => EventFd.Consume(client) is > 0 and var count ? (int)count : -(int)Errno.EAGAIN;
    }

    private static ScriptedFunction Function(string device)
    {
        var isVf = device.EndsWith("-vf", StringComparison.Ordinal);
        var raw = Padded(Of(device, "config").Single(), "raw");
        var function = new ScriptedFunction(raw)
        {
            Id = isVf ? new(0x1B36, 0x0010, 0x1AF4, 0x1100, 0x010802, 2) : default,
            VirtualFunctionIndex = isVf ? 0 : -1,
            Notes = false,
        };
        // What these functions let be written of COMMAND and the dword at 0Ch.
        new byte[] { 0x07, 0x05 }.CopyTo(function.Writable, 4);
        new byte[] { 0xFF, 0, 0, 0 }.CopyTo(function.Writable, 0x0C);
        foreach (var (index, size, kind, prefetchable) in Bars[device])
            function.Bars[index] = new ScriptedBar(size, kind) { Prefetchable = prefetchable, Notes = false };
        int Count(int index) => Of(device, "irq_info").Single(r => r.GetProperty("index").GetInt32() == index).GetProperty("count").GetInt32();
        (function.Lines.Intx, function.Lines.Msi, function.Lines.Msix) = (Count(0), Count(1), Count(2));
        return function;
    }

    private static JsonElement[] Of(string device, string row)
        => [.. Rows.Where(r => r.GetProperty("device").GetString() == device && r.GetProperty("row").GetString() == row)];

    private static byte[] Padded(JsonElement config, string name)
    {
        var bytes = new byte[config.GetProperty("size").GetInt32()];
        Convert.FromHexString(config.GetProperty(name).GetString()!).CopyTo(bytes, 0);
        return bytes;
    }

    private static string Hex(uint value) => Convert.ToHexStringLower(BitConverter.GetBytes(value));
}

using System.Buffers.Binary;

namespace Vfio.Core.Tests.Scripted;

/// <summary>
/// A raw function in memory: configuration bytes of which some bits can be written, BARs, interrupts, and a log of what happened to it.
/// </summary>
internal sealed class ScriptedFunction : IPciFunction
{
    private readonly byte[] _atReset;
    private readonly Lock _accessing = new();

    public ScriptedFunction(byte[] config, byte[]? writable = null)
    {
        ConfigBytes = [.. config];
        _atReset = [.. config];
        Writable = writable ?? Hardware.WritableOf(config);
    }

    public byte[] ConfigBytes { get; }

    public byte[] Writable { get; }

    public Dictionary<int, ScriptedBar> Bars { get; } = [];

    public ScriptedLines Lines { get; } = new();

    public List<string> Log { get; } = [];

    public List<(int Offset, int Width, uint Value)> Writes { get; } = [];

    public List<(int Offset, int Width)> Reads { get; } = [];

    /// <summary>Whether configuration accesses are noted; off where a test counts allocations.</summary>
    public bool Notes { get; set; } = true;

    public Func<FunctionResetMethod, CancellationToken, ValueTask<VfioResult>>? OnReset { get; set; }

    public Action<int, int, uint>? OnConfigWrite { get; set; }

    /// <summary>Runs when memory is connected.</summary>
    public Action? OnConnect { get; set; }

    public Func<int, int, uint?>? OnConfigRead { get; set; }

    public IDmaSpace? Dma { get; private set; }

    /// <summary>Whom an uncorrectable error is reported to.</summary>
    public Action? ErrorReported { get; private set; }

    public PciAddress Address { get; init; } = new(0, 1, 0, 0);

    public PciId Id { get; init; } = new(0x1234, 0x11E8, 0, 0, 0xFF0000, 1);

    public string? Model => "scripted";

    public FunctionVirtualization Virtualization { get; init; } = FunctionVirtualization.Raw;

    public PciAddress? PhysicalFunction { get; init; }

    public int VirtualFunctionIndex { get; init; } = -1;

    public int ConfigSize => ConfigBytes.Length;

    public IInterruptLines Interrupts => Lines;

    public IHotResetDomain? HotResetDomain { get; set; }

    public IReadOnlyList<FunctionResetMethod> ResetMethods { get; init; } = [FunctionResetMethod.Flr];

    public uint ReadConfig(int offset, int width)
    {
        CheckAligned(offset, width);
        if (OnConfigRead?.Invoke(offset, width) is { } scripted)
            return scripted;
        if (Notes)
        {
            lock (_accessing)
                Reads.Add((offset, width));
        }

        return Load(ConfigBytes, offset, width);
    }

    public void WriteConfig(int offset, int width, uint value)
    {
        CheckAligned(offset, width);
        lock (_accessing)
        {
            if (Notes)
                Writes.Add((offset, width, value));
            for (var i = 0; i < width; i++)
            {
                uint mask = Writable[offset + i];
                ConfigBytes[offset + i] = (byte)((ConfigBytes[offset + i] & ~mask) | ((value >> (8 * i)) & mask));
            }
        }

        OnConfigWrite?.Invoke(offset, width, value);
    }

    public IPciBar? Bar(int index) => Bars.GetValueOrDefault(index);

    public async ValueTask<VfioResult> ResetAsync(FunctionResetMethod method, CancellationToken cancellationToken)
    {
        Log.Add($"reset {method}");
        var result = OnReset is null ? VfioResult.Success : await OnReset(method, cancellationToken);
        if (result.IsSuccess)
            _atReset.CopyTo(ConfigBytes, 0);
        return result;
    }

    public void OnUncorrectableError(Action? reported) => ErrorReported = reported;

    /// <summary>Registers as after power-on, whoever reset the function.</summary>
    public void ResetRegisters() => _atReset.CopyTo(ConfigBytes, 0);

    public void ConnectDma(IDmaSpace? dma)
    {
        Log.Add(dma is null ? "DMA off" : "DMA on");
        if (dma is not null)
            OnConnect?.Invoke();
        Dma = dma;
    }

    public uint Hardware32(int offset) => Load(ConfigBytes, offset, 4);

    private static void CheckAligned(int offset, int width)
    {
        if (offset % width != 0)
            throw new InvalidOperationException($"a {width} byte access at {offset:x}");
    }

    private static uint Load(byte[] bytes, int offset, int width) => width switch
    {
        1 => bytes[offset],
        2 => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(offset)),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(offset)),
    };
}

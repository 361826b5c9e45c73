using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Stress;

/// <summary>A function that looks at who touches it, when, and how.</summary>
internal sealed class StressFunction : IPciFunction
{
    private const int Command = 4;
    private readonly Violations _violations;
    private readonly Lock _registers = new();
    private readonly byte[] _config;
    private readonly byte[] _writable;
    private readonly byte[] _atReset;
    private readonly int _power;
    private int _barAccesses;
    private int _resetting;
    private volatile bool _isOver = true;
    private IDmaSpace? _dma;

    public StressFunction(Violations violations)
    {
        _violations = violations;
        var hardware = new Hardware();
        Vendor = hardware.Standard(0x09, 16, (2, 1, 16));
        Express = hardware.Express();
        // With No_Soft_Reset: coming back from D3hot is no reset of its own here.
        _power = hardware.PowerManagement(control: 8);
        Msi = hardware.Msi(0x0084);
        hardware.Msix(StressLines.Vectors, 0xE00, 0xF00);
        Advanced = hardware.Standard(0x13, 6, (3, 1, 3));
        _config = hardware.Bytes;
        _atReset = [.. _config];
        _writable = Hardware.WritableOf(_config);
        _writable.AsSpan(Express + 8, 2).Fill(0x7F);
        (_writable[_power + 4], _writable[_power + 5]) = (3, 0);
        Lines = new(violations);
        Memory = new(this, 4096, BarKind.Memory32);
        Ports = new(this, 64, BarKind.Io);
    }

    public int Vendor { get; }

    public int Express { get; }

    public int Power => _power;

    public int Msi { get; }

    public int Advanced { get; }

    public StressLines Lines { get; }

    public StressBar Memory { get; }

    public StressBar Ports { get; }

    public long Resets { get; private set; }

    /// <summary>The device is closed: nothing may come any more.</summary>
    public bool IsOver
    {
        get => _isOver;
        set => _isOver = value;
    }

    public IDmaSpace? Dma => Volatile.Read(ref _dma);

    /// <summary>Whether the variant has been told that the function goes down; null if it does not say.</summary>
    public Func<bool>? IsPrepared { get; set; }

    public PciAddress Address => new(0, 1, 0, 0);

    public PciId Id => new(0x1234, 0x11E8, 0, 0, 0xFF0000, 1);

    public string? Model => "stress";

    public FunctionVirtualization Virtualization => FunctionVirtualization.Raw;

    public PciAddress? PhysicalFunction => null;

    public int VirtualFunctionIndex => -1;

    public int ConfigSize => _config.Length;

    public IInterruptLines Interrupts => Lines;

    public IReadOnlyList<FunctionResetMethod> ResetMethods { get; } = [FunctionResetMethod.Flr];

    public IPciBar? Bar(int index) => index switch { 0 => Memory, 1 => Ports, _ => null };

    public uint ReadConfig(int offset, int width)
    {
        CheckAccess(offset, width, "a read of configuration space");
        lock (_registers)
            return Load(offset, width);
    }

    public void WriteConfig(int offset, int width, uint value)
    {
        CheckAccess(offset, width, "a write of configuration space");
        lock (_registers)
        {
            var decoded = Decodes;
            for (var i = 0; i < width; i++)
            {
                var mask = _writable[offset + i];
                _config[offset + i] = (byte)((_config[offset + i] & ~mask) | ((byte)(value >> (8 * i)) & mask));
            }

            if (decoded != Decodes)
                _violations.Check(Volatile.Read(ref _barAccesses) == 0, "memory decoding changes under an access");
        }
    }

    public async ValueTask<VfioResult> ResetAsync(FunctionResetMethod method, CancellationToken cancellationToken)
    {
        CheckOver("a reset");
        _violations.Check(Interlocked.Exchange(ref _resetting, 1) == 0, "two resets at a time");
        _violations.Check(Volatile.Read(ref _barAccesses) == 0, "a reset under an access");
        _violations.Check(IsPrepared?.Invoke() ?? true, "a reset that the variant was not told of");
        // Some resets end where they began, some on another thread.
        if (++Resets % 2 == 0)
            await Task.Yield();
        else
            Thread.SpinWait(200);
        lock (_registers)
            _atReset.CopyTo(_config, 0);
        Volatile.Write(ref _resetting, 0);
        return Resets % 16 == 0 ? Errno.EAGAIN : VfioResult.Success;
    }

    public void ConnectDma(IDmaSpace? dma)
    {
        var before = Interlocked.Exchange(ref _dma, dma);
        _violations.Check((before is null) != (dma is null), "DMA is connected twice, or not at all");
    }

    /// <summary>Begins an access to a BAR.</summary>
    public void BeginAccess(StressBar bar)
    {
        Interlocked.Increment(ref _barAccesses);
        CheckUp(bar);
    }

    /// <summary>Ends an access to a BAR; what had to hold when it began has to hold still.</summary>
    public void EndAccess(StressBar bar)
    {
        CheckUp(bar);
        Interlocked.Decrement(ref _barAccesses);
    }

    public void Violate(string what) => _violations.Check(false, what);

    private bool Decodes => (_config[Command] & 2) != 0 && (_config[_power + 4] & 3) != 3;

    private void CheckUp(StressBar bar)
    {
        CheckOver("a BAR access");
        _violations.Check(Volatile.Read(ref _resetting) == 0, "a BAR access during a reset");
        if (bar.Kind == BarKind.Io)
            return;
        lock (_registers)
            _violations.Check(Decodes, "a BAR access while memory does not decode");
    }

    private void CheckAccess(int offset, int width, string what)
    {
        _violations.Check(width is 1 or 2 or 4 && offset % width == 0, $"{what} of {width} at {offset:x}");
        _violations.Check(Volatile.Read(ref _resetting) == 0, $"{what} during a reset");
        CheckOver(what);
    }

    private void CheckOver(string what) => _violations.Check(!_isOver, $"{what} after close");

    private uint Load(int offset, int width)
    {
        var value = 0u;
        for (var i = 0; i < width; i++)
            value |= (uint)_config[offset + i] << (8 * i);
        return value;
    }
}

using Vfio.OracleReplay.Recording;

namespace Vfio.OracleReplay.Hardware;

/// <summary>
/// What a recording says of the hardware of one function, and nothing of what VFIO made of it. Every replayed open starts from here.
/// </summary>
internal sealed class RecordedHardware : IDisposable
{
    private const int SmallConfig = 256, LargeConfig = 4096, IdentityNone = 0xFFFF;

    private RecordedHardware(RecordedDevice device, IReadOnlyList<RecordedDevice> all)
    {
        Name = device.Name;
        BeforeOpen = Config(device, "raw_config");
        WhileOpen = device.Of("raw_config_open").Count > 0 ? Config(device, "raw_config_open") : BeforeOpen;
        if (WhileOpen.Length != BeforeOpen.Length)
            throw new RecordingException(device.Of("raw_config_open")[0].Line,
                "the configuration space has changed its size since raw_config");
        Shown = device.Of("virtual_config").Count > 0 ? Config(device, "virtual_config") : WhileOpen;
        if (Shown.Length != BeforeOpen.Length)
            throw new RecordingException(device.Of("virtual_config")[0].Line,
                "the virtual configuration space is not as large as the hardware's");
        StandardCapabilities = ConfigBytes.Standard(BeforeOpen);
        ExtendedCapabilities = ConfigBytes.Extended(BeforeOpen);
        IsVirtualFunction = ConfigBytes.Load(BeforeOpen, 0, 2) == IdentityNone && ConfigBytes.Load(BeforeOpen, 8, 4) != uint.MaxValue;
        VirtualFunction = IsVirtualFunction ? VirtualFunctionIdentity.Of(this, all) : null;
        Bars = BarInference.Of(device, this, all);
        Bits = HardwareBits.Of(device, this);
        LeftByWrites = device.Of("config_write", "offset").Where(row => row.TryBytes("hardware", out var left) && left.Length == sizeof(uint))
            .Select(row => (Start: row.Number("offset") & ~3, Left: BitConverter.ToUInt32(row.Bytes("hardware")))).Distinct()
            .ToLookup(row => row.Start, row => BitConverter.GetBytes(row.Left));
        Interrupts = InterruptInference.Of(device, this, all);
        Neighbours = NeighbourInference.Of(device, this);
        (ResetMethods, ResetWorks) = ResetInference.Of(device, this);
    }

    public string Name { get; }

    /// <summary>Configuration space before any open.</summary>
    public byte[] BeforeOpen { get; }

    /// <summary>Configuration space while the device was open.</summary>
    public byte[] WhileOpen { get; }

    /// <summary>What a client saw; used only where no other row has a fact of the hardware.</summary>
    public byte[] Shown { get; }

    public List<(int Id, int Offset)> StandardCapabilities { get; }

    public List<(int Id, int Offset)> ExtendedCapabilities { get; }

    public bool IsVirtualFunction { get; }

    /// <summary>What a VF's own registers leave open; null for anything else.</summary>
    public VirtualFunctionIdentity? VirtualFunction { get; }

    public IReadOnlyList<RecordedBarShape?> Bars { get; }

    public HardwareBits Bits { get; }

    /// <summary>What each dword of configuration space held after some write to it.</summary>
    public ILookup<long, byte[]> LeftByWrites { get; }

    public InterruptInference Interrupts { get; }

    public IReadOnlyList<FunctionResetMethod> ResetMethods { get; }

    /// <summary>Whether a reset of the function succeeds.</summary>
    public bool ResetWorks { get; }

    /// <summary>How many functions a reset of its slot or bus takes along, itself included; null where there is none.</summary>
    public int? Neighbours { get; }

    /// <summary>What was concluded from rows that are not the hardware's own, for people.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>Concludes the hardware of a function.</summary>
    /// <param name="device">Its rows.</param>
    /// <param name="all">Every function of the recording: their BARs share pages.</param>
    /// <exception cref="RecordingException">A row that is needed is not there, or does not hold what it should.</exception>
    public static RecordedHardware Of(RecordedDevice device, IReadOnlyList<RecordedDevice> all) => new(device, all);

    public int Standard(int id) => ConfigBytes.Find(StandardCapabilities, id);

    public int Extended(int id) => ConfigBytes.Find(ExtendedCapabilities, id);

    public void Dispose()
    {
        foreach (var bar in Bars)
            bar?.Dispose();
    }

    /// <summary>The bytes of a configuration space row; trailing zeros may be left out.</summary>
    public static byte[] Config(RecordedDevice device, string kind)
    {
        if (device.Of(kind) is not [var row, ..])
            throw new RecordingException(device.Rows[0].Line, $"{device.Name} has no {kind} row: what its hardware is cannot be known");
        var (size, bytes) = (row.Unsigned("size"), row.Bytes("bytes"));
        if (size is not (SmallConfig or LargeConfig) || bytes.Length > size)
            throw row.Wrong("size", $"size of a configuration space: {SmallConfig} or {LargeConfig}, and not less than its bytes");
        var config = new byte[size];
        bytes.CopyTo(config, 0);
        return config;
    }
}

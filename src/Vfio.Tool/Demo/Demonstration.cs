using System.Security.Cryptography;
using Vfio.Hosting;
using Vfio.Tool.Demo.Nvme;
using Vfio.User;

namespace Vfio.Tool.Demo;

/// <summary>The main job, told and checked step by step: match, open, use, trap an FLR, mangle a BAR, verify, serve.</summary>
internal sealed class Demonstration(IVfioHost host, Narrator narrator)
{
    private const string Driver = "nvme-vfio-pci";
    private const uint NvmeClass = 0x010802;
    private const ulong GuestMemory = 0x10_0000;
    private const int GuestMemorySize = 6 * 4096;
    private const ulong Lba = 64;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var function = await MatchAsync(cancellationToken).ConfigureAwait(false);
        await using (var opened = await OpenAsync(function, cancellationToken).ConfigureAwait(false))
        {
            var memory = LocalMemory.Allocate(GuestMemory, GuestMemorySize);
            if (!opened.Dma.Map(memory).IsSuccess)
                throw new VfioException(Errno.EEXIST, "the demo's own DMA space is not empty");
            using var controller = new Controller(opened.Device, memory);
            var hash = Use(opened.Device, controller);
            Mangle(function, opened.Device, controller);
            Reset(opened.Device, controller);
            Verify(controller, hash);
        }

        await ServeAsync(function, cancellationToken).ConfigureAwait(false);
    }

    private async Task<IPciFunction> MatchAsync(CancellationToken cancellationToken)
    {
        narrator.Step("Match: a plugin is found, and its driver serves a virtual function");
        foreach (var plugin in host.Plugins)
        {
            var outcome = plugin.Reason ?? string.Join(", ", plugin.Drivers.Select(d => d.Name));
            narrator.Tell($"plugin {plugin.Id} {plugin.Version}, contract {plugin.Contract}: {outcome}");
        }

        narrator.Check(host.Drivers.Any(d => d.Name == Driver), $"driver {Driver} is there");
        var function = host.Functions.FirstOrDefault(f => f.VirtualFunctionIndex >= 0 && f.Id.ClassCode == NvmeClass)
            ?? throw new VfioException(Errno.ENODEV, "the topology has no NVMe virtual function; run the demo without --topology");
        var match = await host.ExplainAsync(function.Address, null, cancellationToken).ConfigureAwait(false);
        foreach (var candidate in match.Candidates)
        {
            var why = candidate.Reason is { } reason ? $": {reason}" : string.Empty;
            narrator.Tell($"{candidate.Driver} ({candidate.Origin}), {candidate.Wildcards} wildcards: {candidate.Verdict}{why}");
        }

        narrator.Check(
            match.Driver == Driver && match.Reason is null,
            $"{function.Address}, a VF of {function.PhysicalFunction}, is served by {match.Driver}, whole");
        return function;
    }

    private async Task<OpenedDevice> OpenAsync(IPciFunction function, CancellationToken cancellationToken)
    {
        narrator.Step("Open: the function becomes a VFIO device in this process");
        var opened = await host.OpenAsync(function.Address, null, cancellationToken).ConfigureAwait(false);
        var info = opened.Device.Info;
        narrator.Tell($"{info.RegionCount} regions, {info.IrqCount} IRQ indexes, flags {info.Flags}");
        foreach (var (name, value) in opened.Device.Describe())
            narrator.Tell($"{name}: {value}");
        narrator.Check(
            Row(opened.Device, "resets").Contains("Open 1", StringComparison.Ordinal), "it started from a reset, and the variant saw why");
        return opened;
    }

    private byte[] Use(VfioDevice device, Controller controller)
    {
        narrator.Step("Use: what a guest's NVMe driver does, through BAR 0, MSI-X and DMA");
        new GuestConfig(device).Enable();
        var version = controller.Read32(Registers.Version);
        var took = controller.Enable();
        narrator.Tell($"NVMe {version >> 16}.{(version >> 8) & 0xFF}, ready {took.TotalMilliseconds:0.0} ms after CC.EN was set");
        var (serial, model, firmware) = controller.Identify();
        narrator.Check(model.Length > 0, $"Identify: {model}, serial {serial}, firmware {firmware}");
        controller.Attach();
        narrator.Tell($"namespace {controller.NamespaceId}: {controller.Blocks} blocks of {controller.BlockSize} bytes; queue pair 1 made");
        RandomNumberGenerator.Fill(controller.Data);
        var hash = SHA256.HashData(controller.Data);
        controller.WriteBlocks(Lba);
        controller.Data.Clear();
        controller.ReadBlocks(Lba);
        narrator.Check(
            SHA256.HashData(controller.Data).AsSpan().SequenceEqual(hash),
            $"4 KiB written at LBA {Lba} and read back: SHA-256 {Short(hash)}");
        return hash;
    }

    private void Mangle(IPciFunction function, VfioDevice device, Controller controller)
    {
        narrator.Step("Mangle a BAR: a guest must not reset the subsystem that it shares");
        var raw = function.Bar(RegionIndex.Bar0)!.Read(Registers.Capabilities, sizeof(ulong));
        var seen = controller.Read64(Registers.Capabilities);
        narrator.Tell($"CAP on the function: {raw:x16}; CAP as the guest reads it: {seen:x16}");
        narrator.Check(
            (raw & Registers.SubsystemResetSupported) != 0 && seen == (raw & ~Registers.SubsystemResetSupported),
            "the function offers NVM Subsystem Reset (CAP.NSSRS), the guest reads that bit as 0 and every other as it is");
        controller.Write32(Registers.SubsystemReset, BitConverter.ToUInt32("eMVN"u8));
        var status = controller.Read32(Registers.Status);
        narrator.Check(
            Row(device, "subsystem resets dropped") == "1"
                && (status & (Registers.Ready | Registers.SubsystemResetOccurred)) == Registers.Ready,
            $"a write of \"NVMe\" to NSSR was dropped: the controller is still ready (CSTS {status:x8})");
    }

    private void Reset(VfioDevice device, Controller controller)
    {
        narrator.Step("Trap an FLR: the guest sets Initiate Function Level Reset in configuration space");
        new GuestConfig(device).FunctionLevelReset();
        narrator.Tell($"resets: {Row(device, "resets")}");
        narrator.Check(Row(device, "resets").Contains("PcieFlr 1", StringComparison.Ordinal), "the variant saw the reset, with its cause");
        new GuestConfig(device).Enable();
        var configuration = controller.Read32(Registers.Configuration);
        var status = controller.Read32(Registers.Status);
        narrator.Check(
            (configuration & Registers.Enable) == 0 && (status & Registers.Ready) == 0,
            $"the controller is as after power-on: CC {configuration:x8}, CSTS {status:x8}");
    }

    private void Verify(Controller controller, byte[] hash)
    {
        narrator.Step("Verify: the data outlived the reset");
        controller.Enable();
        controller.Attach();
        controller.ReadBlocks(Lba);
        narrator.Check(
            SHA256.HashData(controller.Data).AsSpan().SequenceEqual(hash), $"LBA {Lba} read through new queues: SHA-256 {Short(hash)}");
    }

    private async Task ServeAsync(IPciFunction function, CancellationToken cancellationToken)
    {
        narrator.Step("Serve: the same function, closed here, over vfio-user to another");
        var directory = Directory.CreateTempSubdirectory("vfio-demo-");
        try
        {
            var path = Path.Combine(directory.FullName, "vf.sock");
            await using (
                await host.ServeAsync(function.Address, VfioUserEndpoint.Path(path), null, cancellationToken).ConfigureAwait(false))
            {
                using (var client = Client.VfioUserClient.Connect(path, out var version))
                {
                    narrator.Tell($"a client on {path} negotiated {version}");
                    var (regions, irqs) = client.GetInfo();
                    var id = BitConverter.ToUInt32(client.Read(RegionIndex.Config, 0, sizeof(uint)));
                    narrator.Check(
                        id == (function.Id.Vendor | ((uint)function.Id.Device << 16)),
                        $"it reads {id & 0xFFFF:x4}:{id >> 16:x4} from configuration space, of {regions} regions and {irqs} IRQ indexes");
                }

                narrator.Tell("the client hung up without a word, as they do");
            }

            narrator.Check(!File.Exists(path), "the server ended and took its socket with it");
            narrator.Check(
                host.Describe().Functions.Single(f => f.Address == function.Address.ToString()).Device is { Use: null, Fault: null },
                $"{function.Address} is free again, and whole");
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static string Row(VfioDevice device, string name) => device.Describe().FirstOrDefault(r => r.Key == name).Value ?? string.Empty;

    private static string Short(byte[] hash) => Convert.ToHexStringLower(hash.AsSpan(0, 8));
}

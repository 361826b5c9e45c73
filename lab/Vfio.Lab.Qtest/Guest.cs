using System.Text.Json.Nodes;

namespace Vfio.Lab.Qtest;

/// <summary>One QEMU with the matrix device in it, and what the checks do with it.</summary>
internal sealed class Guest : IAsyncDisposable
{
    private const int Slot = 3;
    private const ulong MessageAddress = 0x100000;
    private readonly MatrixFunction _function;
    private readonly ServedDevice _served;

    private Guest(MatrixFunction function, ServedDevice served, QemuMachine machine)
    {
        _function = function;
        _served = served;
        Machine = machine;
        Pci = new(machine, Slot);
    }

    internal MatrixDevice Device => _function.Device;

    internal QemuMachine Machine { get; }

    internal PciSlot Pci { get; }

    /// <summary>Starts a machine with the device, its BARs placed.</summary>
    /// <param name="sandbox">Where.</param>
    /// <param name="mapped">Whether part of BAR 2 is mapped.</param>
    /// <param name="shared">Whether the machine's memory is a file that the device is given.</param>
    internal static async Task<Guest> StartAsync(Sandbox sandbox, bool mapped, bool shared)
    {
        var function = new MatrixFunction(mapped);
        var served = await ServedDevice.StartAsync(sandbox, function.Open());
        var memory = shared ? "memory-backend-memfd,id=mem,size=64M,share=on" : "memory-backend-ram,id=mem,size=64M";
        var client = served.Client("matrix", address: $"{Slot:x}").ToJsonString();
        var machine = await QemuMachine.StartAsync(
            sandbox, "-M", "q35,memory-backend=mem", "-m", "64M", "-object", memory, "-device", client);
        var guest = new Guest(function, served, machine);
        await guest.Pci.PlaceBarsAsync();
        return guest;
    }

    internal Task<ulong> ReadAsync(ulong register, int width) => Pci.ReadAsync(MatrixDevice.RegisterBar, register, width);

    internal Task WriteAsync(ulong register, int width, ulong value) => Pci.WriteAsync(MatrixDevice.RegisterBar, register, width, value);

    /// <summary>Copies between guest memory and the device, and waits for the device to say that it is done.</summary>
    internal async Task<uint> CopyAsync(uint command, ulong address, uint length)
    {
        await WriteAsync(MatrixDevice.DmaAddress, 8, address);
        await WriteAsync(MatrixDevice.DmaLength, 4, length);
        await WriteAsync(MatrixDevice.DmaCommand, 4, command);
        uint status;
        do
            status = (uint)await ReadAsync(MatrixDevice.DmaStatus, 4);
        while (status == MatrixDevice.Idle);
        return status;
    }

    /// <summary>Points a vector at a word of memory of its own, so that a message that arrives can be seen there.</summary>
    internal async Task AimVectorAsync(int vector, bool masked)
    {
        var entry = MsixTable + (ulong)(vector * 16);
        await WriteAsync(entry, 4, MessageAddress + (ulong)(vector * 4));
        await WriteAsync(entry + 4, 4, 0);
        await WriteAsync(entry + 8, 4, Message(vector));
        await MaskVectorAsync(vector, masked);
    }

    internal Task MaskVectorAsync(int vector, bool masked) => WriteAsync(MsixTable + (ulong)(vector * 16) + 12, 4, masked ? 1ul : 0);

    internal async Task EnableMsixAsync(bool enable)
        => await Pci.WriteConfig16Async(_function.MsixCapability + 2, (ushort)(enable ? 0x8000 : 0));

    internal static uint Message(int vector) => 0xCAFE0000u + (uint)vector;

    /// <summary>The word that a vector's message is written to.</summary>
    internal async Task<uint> ArrivedAsync(int vector)
        => Convert.ToUInt32(await Machine.CommandAsync($"readl 0x{MessageAddress + (ulong)(vector * 4):x}"), 16);

    /// <summary>
    /// Waits until a vector's message has arrived: QEMU's main loop takes it from the eventfd between two of our commands.
    /// </summary>
    internal async Task WaitForMessageAsync(int vector)
    {
        const int Tries = 100_000;
        for (var i = 0; i < Tries; i++)
        {
            if (await ArrivedAsync(vector) == Message(vector))
                return;
        }

        throw new CheckFailedException($"the message of vector {vector} did not arrive");
    }

    internal Task ForgetMessageAsync(int vector) => Machine.CommandAsync($"writel 0x{MessageAddress + (ulong)(vector * 4):x} 0x0");

    internal Task ResetSystemAsync() => Machine.Qmp.ExecuteAsync("system_reset");

    public async ValueTask DisposeAsync()
    {
        await Machine.DisposeAsync();
        await _served.DisposeAsync();
        _function.Dispose();
    }

    private const ulong MsixTable = 0x2000;
}

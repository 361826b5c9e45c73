using System.Diagnostics;
using Vfio.Lab.Qtest;

if (args is not [var root, var folder, var seen])
{
    Console.Error.WriteLine("usage: Vfio.Lab.Qtest ROOT FOLDER SEEN   (QEMU's root, a folder for sockets, that folder as QEMU sees it); lab/run qtest calls it");
    return 2;
}

var sandbox = new Sandbox(root, folder, seen);
int passed = 0, failed = 0;
foreach (var (name, run) in new Checks(sandbox).All())
{
    var clock = Stopwatch.StartNew();
    try
    {
        await run();
        passed++;
        Console.WriteLine($"ok    {name} ({clock.Elapsed.TotalSeconds:f1} s)");
    }
    catch (Exception e) when (e is CheckFailedException or QmpException or InvalidOperationException or OperationCanceledException or EndOfStreamException)
    {
        failed++;
        Console.WriteLine($"FAIL  {name}: {e.Message}");
    }
}

Console.WriteLine($"{passed} passed, {failed} failed");
return failed == 0 ? 0 : 1;
